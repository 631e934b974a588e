// Which tiles are drawn and which are read: nothing is drawn twice, the rest follows behind, training comes first.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Job } from '#shared/contract/common'
import { Bus } from '../../../src-main/service/bus'
import { CodeTiles, type TiledCodebook } from '../../../src-main/service/code-tiles'
import { Jobs } from '../../../src-main/service/jobs'
import type { Operations } from '../../../src-main/service/operations'
import { missingTiles } from '../../../src-main/service/tile-file'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-code-tiles-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const codes = 150
const colour = (code: number): number[] => [code, 255 - code, 7]

/** A service's part whose trainer draws one pixel a code and says what it was asked for. */
async function setUp(name: string) {
  const runFolder = join(root, name)
  await mkdir(runFolder)
  const asked: number[][] = []
  const bus = new Bus()
  const ended: Job[] = []
  let wake: () => void = () => undefined
  bus.bind((topic, _name, payload) => {
    if (topic !== 'jobs' || (payload as Job).status === 'running') return
    ended.push(payload as Job)
    wake()
  })
  const jobs = new Jobs(bus)
  const trainer = {
    decodeCodes: ({ indices }: { indices: number[] }) => {
      asked.push(indices)
      return Promise.resolve({ size: 1, pixels: Uint8Array.from(indices.flatMap(colour)) })
    },
  }
  const operations = {
    withTrainer: <T>(work: (given: typeof trainer) => Promise<T>) => work(trainer),
  } as unknown as Operations
  const codebook: TiledCodebook = {
    runId: 'run',
    runFolder,
    step: 3,
    codes,
    path: join(runFolder, 'inspection', 'tiles'),
  }
  const over = (count: number): Promise<Job[]> =>
    new Promise((resolve) => {
      wake = () => ended.length >= count && resolve(ended)
      wake()
    })
  const open = (): CodeTiles => new CodeTiles({ jobs, operations })
  return { asked, jobs, codebook, over, open }
}

it('draws what is asked, then the rest behind, and never again', async () => {
  const { asked, codebook, over, open } = await setUp('rest')
  const first = await open().get(codebook, [9, 3, 9])
  expect([...first.pixels]).toEqual([9, 3, 9].flatMap(colour))
  expect(await over(1)).toMatchObject([{ status: 'done', done: codes - 2, total: codes - 2 }])
  const drawn = asked.flat().sort((a, b) => a - b)
  expect(drawn).toEqual(Array.from({ length: codes }, (_, code) => code))
  expect(asked[0]).toEqual([9, 3])
  const rounds = asked.length
  // As after a restart: from disk.
  const all = await open().get(codebook, drawn)
  expect([...all.pixels]).toEqual(drawn.flatMap(colour))
  expect(asked).toHaveLength(rounds)
})

it('draws only what is asked while a run trains, and the rest at the next look', async () => {
  const { jobs, codebook, over, open } = await setUp('training')
  let finish: () => void = () => undefined
  const training = jobs.start(
    { kind: 'train', title: 'A run' },
    () => new Promise<void>((resolve) => (finish = resolve)),
  )
  const tiles = open()
  await tiles.get(codebook, [1])
  expect(await missingTiles(codebook.path, codes)).toHaveLength(codes - 1)
  expect(jobs.list()).toHaveLength(1)
  finish()
  await training.finished
  await tiles.get(codebook, [2])
  expect(await over(2)).toMatchObject([{ kind: 'train' }, { kind: 'inspect', status: 'done' }])
  expect(await missingTiles(codebook.path, codes)).toEqual([])
})

it('shows tiles that cannot be kept', async () => {
  const { asked, codebook, open } = await setUp('full')
  // A file where the folder should be refuses every write, whoever runs the test.
  await writeFile(join(codebook.runFolder, 'inspection'), '')
  const tiles = open()
  for (let round = 0; round < 2; round++)
    expect([...(await tiles.get(codebook, [5])).pixels]).toEqual(colour(5))
  expect(asked.filter(([code]) => code === 5)).not.toHaveLength(1)
})
