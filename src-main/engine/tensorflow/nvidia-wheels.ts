// NVIDIA's libraries for the CUDA engine: the wheels that TensorFlow's own extra `and-cuda` names, in the versions that
// pip chooses for TensorFlow 2.21.0 on Linux. Each is pinned by its SHA-256; no package host is named here.
import type { Wheel } from './variants'

/** A wheel for every Python: `project` and `version` as pip wants them, and the platform part of its file's name. */
function nvidia(
  project: string,
  version: string,
  platforms: string,
  sizeBytes: number,
  sha256: string,
  holds: readonly string[],
): Wheel {
  return {
    requirement: `${project}==${version}`,
    fileName: `${project.replaceAll('-', '_')}-${version}-py3-none-${platforms}.whl`,
    sizeBytes,
    sha256,
    pythonVersion: '3.11',
    abi: 'none',
    platformTag: platforms.split('.').at(-1) ?? platforms,
    holds: holds.map((path) => `nvidia/${path}`),
  }
}

export const nvidiaWheels: readonly Wheel[] = [
  nvidia(
    'nvidia-cublas-cu12',
    '12.9.3.13',
    'manylinux_2_27_x86_64',
    581_217_458,
    'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72',
    ['cublas/lib/libcublas.so.12', 'cublas/lib/libcublasLt.so.12'],
  ),
  nvidia(
    'nvidia-cuda-cupti-cu12',
    '12.9.79',
    'manylinux_2_25_x86_64',
    10_814_997,
    '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f',
    ['cuda_cupti/lib/libcupti.so.12'],
  ),
  nvidia(
    'nvidia-cuda-nvcc-cu12',
    '12.9.86',
    'manylinux2010_x86_64.manylinux_2_12_x86_64',
    40_546_229,
    '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0',
    ['cuda_nvcc/bin/ptxas', 'cuda_nvcc/nvvm/libdevice/libdevice.10.bc'],
  ),
  nvidia(
    'nvidia-cuda-nvrtc-cu12',
    '12.9.86',
    'manylinux2010_x86_64.manylinux_2_12_x86_64',
    89_568_129,
    '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4',
    ['cuda_nvrtc/lib/libnvrtc.so.12'],
  ),
  nvidia(
    'nvidia-cuda-runtime-cu12',
    '12.9.79',
    'manylinux2014_x86_64.manylinux_2_17_x86_64',
    3_493_179,
    '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3',
    ['cuda_runtime/lib/libcudart.so.12'],
  ),
  nvidia(
    'nvidia-cudnn-cu12',
    '9.28.0.42',
    'manylinux_2_27_x86_64',
    716_538_495,
    '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375',
    ['cudnn/lib/libcudnn.so.9'],
  ),
  nvidia(
    'nvidia-cufft-cu12',
    '11.4.1.4',
    'manylinux2014_x86_64.manylinux_2_17_x86_64',
    200_877_592,
    'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28',
    ['cufft/lib/libcufft.so.11'],
  ),
  nvidia(
    'nvidia-curand-cu12',
    '10.3.10.19',
    'manylinux_2_27_x86_64',
    68_295_626,
    '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e',
    ['curand/lib/libcurand.so.10'],
  ),
  nvidia(
    'nvidia-cusolver-cu12',
    '11.7.5.82',
    'manylinux_2_27_x86_64',
    338_117_415,
    '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88',
    ['cusolver/lib/libcusolver.so.11'],
  ),
  nvidia(
    'nvidia-cusparse-cu12',
    '12.5.10.65',
    'manylinux2014_x86_64.manylinux_2_17_x86_64',
    366_465_088,
    '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78',
    ['cusparse/lib/libcusparse.so.12'],
  ),
  nvidia(
    'nvidia-nccl-cu12',
    '2.32.3',
    'manylinux_2_27_x86_64',
    351_526_311,
    'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c',
    ['nccl/lib/libnccl.so.2'],
  ),
  nvidia(
    'nvidia-nvjitlink-cu12',
    '12.9.86',
    'manylinux2010_x86_64.manylinux_2_12_x86_64',
    39_748_338,
    'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9',
    ['nvjitlink/lib/libnvJitLink.so.12'],
  ),
]
