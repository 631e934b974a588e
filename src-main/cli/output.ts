// Two streams with two jobs: stdout carries the result and nothing else, stderr tells people what is going on.
import type { ErrorShape } from '#shared/contract/errors'

export interface Streams {
  stdout: NodeJS.WritableStream
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
}

/** Resolves once the text has left this process: a pipe takes a large result in pieces. */
function writeAll(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })
}

export class Output {
  #line = ''

  constructor(
    private readonly streams: Streams,
    readonly json: boolean,
  ) {}

  /** The result of a command: one JSON value with `--json`, else these lines. Called once. */
  async result(value: unknown, lines: readonly string[]): Promise<void> {
    this.clear()
    await writeAll(this.streams.stdout, this.json ? `${JSON.stringify(value)}\n` : `${lines.join('\n')}\n`)
  }

  async error(error: ErrorShape): Promise<void> {
    this.clear()
    await writeAll(this.streams.stderr, `${error.message}${error.hint ? `\n${error.hint}` : ''}\n`)
    if (this.json) await writeAll(this.streams.stdout, `${JSON.stringify({ error })}\n`)
  }

  /** A line that stays. */
  say(text: string): void {
    this.clear()
    this.streams.stderr.write(`${text}\n`)
    if (this.#line) this.#draw(this.#line)
  }

  /** Whether `progress` shows: only a terminal can take a line back. */
  get isInteractive(): boolean {
    return this.streams.stderr.isTTY === true
  }

  /** Replaces the one line of progress. */
  progress(text: string): void {
    if (!this.isInteractive) return
    this.#line = text
    this.#draw(text)
  }

  clear(): void {
    if (this.isInteractive && this.#line) this.streams.stderr.write('\r\u001b[K')
  }

  /** Progress is over: its line goes. */
  endProgress(): void {
    this.clear()
    this.#line = ''
  }

  #draw(text: string): void {
    const width = Math.max(20, (this.streams.stderr.columns ?? 80) - 1)
    this.streams.stderr.write(`\r\u001b[K${text.length > width ? `${text.slice(0, width - 1)}…` : text}`)
  }
}
