import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Job } from '#shared/contract/common'
import type { MetricsRecord } from '#shared/contract/files'
import { GyreError } from '#shared/contract/errors'
import { endingOf, exitCodes, usage } from '../../../src-main/cli/errors'
import { Output } from '../../../src-main/cli/output'
import { duration, progressTo } from '../../../src-main/cli/progress'

class Recorder extends Writable {
  text = ''
  columns = 40
  constructor(readonly isTTY: boolean) {
    super({
      write: (chunk: Buffer, _encoding, done) => {
        this.text += chunk.toString()
        done()
      },
    })
  }
}

function open(options: { json?: boolean; isTTY?: boolean } = {}) {
  const streams = { stdout: new Recorder(false), stderr: new Recorder(options.isTTY ?? false) }
  return { ...streams, output: new Output(streams, options.json ?? false) }
}

const job = (change: Partial<Job>): Job => ({
  ...{ id: 'job-1', kind: 'import', title: 'Photos', phase: 'Reading images', done: 0, total: 0 },
  ...{ unit: 'images', startedAt: '', status: 'running' },
  ...change,
})

describe('output', () => {
  it('puts one JSON value, or lines, on stdout', async () => {
    const json = open({ json: true })
    await json.output.result({ step: 3 }, ['three'])
    expect(json.stdout.text).toBe('{"step":3}\n')
    const plain = open()
    await plain.output.result({ step: 3 }, ['one', 'two'])
    expect(plain.stdout.text).toBe('one\ntwo\n')
  })

  it('tells errors to people on stderr, and to programs on stdout only when asked', async () => {
    const error = { code: 'not-found', message: 'No run.', hint: 'Pass one.' } as const
    const plain = open()
    await plain.output.error(error)
    expect([plain.stdout.text, plain.stderr.text]).toEqual(['', 'No run.\nPass one.\n'])
    const json = open({ json: true })
    await json.output.error(error)
    expect(JSON.parse(json.stdout.text)).toEqual({ error })
  })

  it('updates one line on a terminal, cut to its width', () => {
    const { output, stderr } = open({ isTTY: true })
    output.progress('x'.repeat(100))
    expect(stderr.text).toBe(`\r\u001b[K${'x'.repeat(38)}…`)
    output.say('said')
    expect(stderr.text.endsWith(`\r\u001b[Ksaid\n\r\u001b[K${'x'.repeat(38)}…`)).toBe(true)
    output.endProgress()
    expect(stderr.text.endsWith('\r\u001b[K')).toBe(true)
  })
})

describe('progress', () => {
  it('says each phase once where no terminal updates in place', () => {
    const { output, stderr } = open()
    const emit = progressTo(output)
    for (let done = 0; done < 50; done++) emit('jobs', 'onChange', job({ done, total: 50 }))
    emit('jobs', 'onChange', job({ phase: 'Preparing images', done: 10, total: 50 }))
    expect(stderr.text).toBe('Reading images\nPreparing images  10 of 50 images (20 %)\n')
  })

  it('reports evaluations with the figures of docs/metrics.md', () => {
    const { output, stderr } = open()
    const record: MetricsRecord = {
      ...{ kind: 'evaluation', step: 100, epoch: 1, trainedMs: 5, best: true },
      validation: {
        ...{ mse: 0.04, psnr: 20, usage: 0.176, usagePer256: 0.17, perplexity: 98 },
        ...{ quantizationError: 0.0516, commitmentLoss: 0.0016, images: 256 },
      },
    }
    progressTo(output)('runs', 'onRecord', { id: 'a', record })
    expect(stderr.text).toContain('Step 100: mse 0.0400, psnr 20.00 dB, usage 17.6 %, perplexity 98')
    expect(stderr.text).toContain('(best)')
    const silent = open()
    progressTo(silent.output, { evaluations: false })('runs', 'onRecord', { id: 'a', record })
    expect(silent.stderr.text).toBe('')
  })

  it('words times', () => {
    expect([0.2, 59, 100, 3600, 7200].map(duration)).toEqual(['1 s', '59 s', '2 min', '60 min', '2.0 h'])
  })
})

describe('endings', () => {
  it('tells wrong usage from failures', () => {
    const wrong = (): never => {
      throw new GyreError('invalid-input', 'steps=0 is not allowed.', 'From 1.')
    }
    const caught = (): unknown => {
      try {
        return usage(wrong)
      } catch (error) {
        return error
      }
    }
    expect(endingOf(caught())).toEqual({
      exitCode: exitCodes.usage,
      error: { code: 'invalid-input', message: 'steps=0 is not allowed.', hint: 'From 1.' },
    })
    expect(endingOf(new GyreError('invalid-input', 'x')).exitCode).toBe(exitCodes.failed)
    expect(endingOf(new TypeError('bug'))).toMatchObject({ exitCode: 1, error: { code: 'internal' } })
  })
})
