// Who is let in. The tables are made from the contract and from the window's files, so a new call or file
// is tested by being there.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { encodeFrame } from '#shared/rpc/codec'
import { newToken } from '#main/serve/token'
import { listStaticFiles } from '#main/serve/static-files'
import { foreignHosts, foreignOrigins, traversals, wrongHellos } from './attacks'
import {
  calls,
  closeCode,
  goodClient,
  openSocket,
  rawRequest,
  requestText,
  startWorld,
  upgradeText,
  type RawResponse,
  type World,
} from './world'

let world: World
let other: World
const output: string[] = []

beforeAll(async () => {
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      output.push(String(text))
      return true
    })
  }
  for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, name).mockImplementation((...values) => void output.push(values.map(String).join(' ')))
  }
  world = await startWorld()
  other = await startWorld()
})

beforeEach(() => {
  world.reached.length = 0
})

afterAll(async () => {
  await world.close()
  await other.close()
  vi.restoreAllMocks()
})

const ownHost = (): string => `127.0.0.1:${world.port}`

const expected: Record<string, RegExp> = {
  'content-security-policy':
    /^default-src 'none'; script-src 'self';.*frame-ancestors 'none'; base-uri 'none'/,
  'x-content-type-options': /^nosniff$/,
  'x-frame-options': /^DENY$/,
  'referrer-policy': /^no-referrer$/,
  'cross-origin-opener-policy': /^same-origin$/,
  'cross-origin-resource-policy': /^same-origin$/,
}

function expectGuarded(response: RawResponse): void {
  for (const [name, value] of Object.entries(expected)) expect(response.headers[name], name).toMatch(value)
  if (response.status !== 101) expect(response.headers['cache-control']).toBeDefined()
  expect(response.headers['access-control-allow-origin']).toBeUndefined()
  expect(response.headers['x-powered-by'] ?? response.headers.server).toBeUndefined()
}

describe('without the right token', () => {
  const frame = ({ topic, name }: { topic: string; name: string }): Uint8Array =>
    encodeFrame({ type: 'call', id: 1, topic, name })

  it('has calls to try', () => {
    expect(calls.length).toBeGreaterThan(40)
  })

  it.each(calls)('$topic.$name: no token', async (call) => {
    const socket = await openSocket(world)
    const answers: unknown[] = []
    socket.on('message', (data) => answers.push(data))
    socket.send(frame(call))
    expect(await closeCode(socket)).toBe(4401)
    expect({ answers, reached: world.reached }).toEqual({ answers: [], reached: [] })
  })

  it.each(calls)('$topic.$name: a wrong token, and another instance’s', async (call) => {
    for (const token of [newToken(), other.token]) {
      const socket = await openSocket(world)
      const answers: unknown[] = []
      socket.on('message', (data) => answers.push(data))
      socket.send(JSON.stringify({ token }))
      socket.send(frame(call))
      expect(await closeCode(socket)).toBe(4401)
      expect({ answers, reached: world.reached }).toEqual({ answers: [], reached: [] })
    }
  })

  it.each(Object.keys(wrongHellos('x')))('says %s', async (name) => {
    const socket = await openSocket(world)
    socket.send(wrongHellos(world.token)[name] ?? '')
    socket.send(frame({ topic: 'runs', name: 'list' }))
    expect(await closeCode(socket)).toBe(4401)
    expect(world.reached).toEqual([])
  })

  it('gets no second try', async () => {
    const socket = await openSocket(world)
    socket.send(JSON.stringify({ token: newToken() }))
    socket.send(JSON.stringify({ token: world.token }))
    socket.send(frame({ topic: 'runs', name: 'list' }))
    expect(await closeCode(socket)).toBe(4401)
    expect(world.reached).toEqual([])
  })

  it('gets no event', async () => {
    const socket = await openSocket(world)
    const heard: unknown[] = []
    socket.on('message', (data) => heard.push(data))
    socket.send(encodeFrame({ type: 'subscribe', topic: 'jobs', name: 'onChange' }))
    world.emit('host', 'onLoad', {} as never)
    expect(await closeCode(socket)).toBe(4401)
    expect(heard).toEqual([])
  })

  it('is told so by the client’s side of the handshake', async () => {
    const stranger = { ...world, port: world.port, token: newToken() }
    await expect(goodClient(stranger)).rejects.toMatchObject({ code: 'unauthorized' })
  })

  it('is a different one at each start, of 256 bits', () => {
    expect(Buffer.from(world.token, 'base64url')).toHaveLength(32)
    expect(world.token).not.toBe(other.token)
    expect(world.address).toBe(`${world.url}#token=${world.token}`)
    expect(world.url).not.toContain(world.token)
  })
})

describe('with the token', () => {
  it('reaches every call, with inputs parsed', async () => {
    const client = await goodClient(world)
    const topics = client as unknown as Record<string, Record<string, (input?: unknown) => Promise<unknown>>>
    for (const { topic, name, spec } of calls) {
      const takesNothing = spec.input.safeParse(undefined).success
      const answer = topics[topic]?.[name]?.(takesNothing ? undefined : 'wrong')
      if (takesNothing) await expect(answer).resolves.toEqual({ topic, name })
      else await expect(answer).rejects.toMatchObject({ code: 'invalid-input' })
    }
    expect(world.reached.filter((line) => line.startsWith('unparsed'))).toEqual([])
    expect(world.reached.length).toBeGreaterThan(5)
    client.close()
  })
})

describe('routes', () => {
  it('gives out the files of the window, to GET and HEAD', async () => {
    const files = await listStaticFiles(world.folder)
    expect([...files.keys()].sort()).toEqual([
      '/',
      '/assets/index-B1x.css',
      '/assets/index-B1x.js',
      '/index.html',
    ])
    for (const [path, { type }] of files) {
      const got = await rawRequest(world.port, requestText('GET', `${path}?x=1`, { Host: ownHost() }))
      expect(got).toMatchObject({ status: 200, headers: { 'content-type': type } })
      expect(got.body).not.toBe('')
      expectGuarded(got)
      const head = await rawRequest(world.port, requestText('HEAD', path, { Host: ownHost() }))
      expect(head).toMatchObject({ status: 200, body: '' })
      expectGuarded(head)
    }
  })

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    'refuses %s',
    async (method) => {
      const files = await listStaticFiles(world.folder)
      for (const path of [...files.keys(), '/rpc', '/nowhere']) {
        const response = await rawRequest(
          world.port,
          requestText(method, path, { Host: ownHost(), 'Content-Length': '2' }) + '{}',
        )
        expect(response.status).toBe(405)
        expectGuarded(response)
      }
    },
  )

  it.each(traversals)('finds nothing at %s', async (target) => {
    const response = await rawRequest(world.port, requestText('GET', target, { Host: ownHost() }))
    expect([400, 404]).toContain(response.status)
    expect(response.text).not.toMatch(/outside|root:|Gyre<\/title>|export/)
    expectGuarded(response)
  })

  it('has no plain HTTP behind /rpc', async () => {
    const response = await rawRequest(world.port, requestText('GET', '/rpc', { Host: ownHost() }))
    expect(response.status).toBe(404)
  })

  it('names its own socket addresses in the policy', async () => {
    const { headers } = await rawRequest(world.port, requestText('GET', '/', { Host: ownHost() }))
    expect(headers['content-security-policy']).toContain(
      `connect-src 'self' ws://127.0.0.1:${world.port} ws://localhost:${world.port};`,
    )
    expect(headers['content-security-policy']).not.toMatch(/unsafe-eval|\*|http:/)
  })
})

describe('a foreign Host', () => {
  it.each(foreignHosts(7000).map((_host, index) => index))('number %i', async (index) => {
    const host = foreignHosts(world.port)[index]
    const files = await listStaticFiles(world.folder)
    for (const path of [...files.keys(), '/nowhere']) {
      const response = await rawRequest(world.port, requestText('GET', path, { Host: host }))
      expect([400, 421], host).toContain(response.status)
      expect(response.text).not.toMatch(/Gyre<\/title>|export|body\{/)
      expectGuarded(response)
    }
    const upgrade = await rawRequest(
      world.port,
      upgradeText({ Host: host, Origin: `http://${host ?? 'evil.example'}` }),
    )
    expect([400, 421], host).toContain(upgrade.status)
    expectGuarded(upgrade)
  })

  it.each(['before', 'after'])('%s our own', async (place) => {
    const own = `Host: ${ownHost()}`
    const foreign = 'Host: evil.example'
    const both = place === 'before' ? `${foreign}\r\n${own}` : `${own}\r\n${foreign}`
    for (const text of [requestText('GET', '/', { Host: ownHost() }), upgradeText({ Host: ownHost() })]) {
      expect([400, 421]).toContain((await rawRequest(world.port, text.replace(own, both))).status)
    }
  })

  it('is not what localhost is', async () => {
    const host = `localhost:${world.port}`
    expect((await rawRequest(world.port, requestText('GET', '/', { Host: host }))).status).toBe(200)
    const upgrade = await rawRequest(world.port, upgradeText({ Host: host, Origin: `http://${host}` }))
    expect(upgrade.status).toBe(101)
    expectGuarded(upgrade)
  })
})

describe('a foreign Origin', () => {
  it.each(foreignOrigins(7000).map((origin, index) => [origin, index] as const))(
    '%s',
    async (_name, index) => {
      const origin = foreignOrigins(world.port)[index]
      const upgrade = await rawRequest(world.port, upgradeText({ Host: ownHost(), Origin: origin }))
      expect(upgrade.status, origin).toBe(403)
      expectGuarded(upgrade)
      const page = await rawRequest(world.port, requestText('GET', '/', { Host: ownHost(), Origin: origin }))
      expect(page.status, origin).toBe(403)
      expectGuarded(page)
    },
  )

  it('or none, or two, can open no socket', async () => {
    const none = await rawRequest(world.port, upgradeText({ Host: ownHost() }))
    expect(none.status).toBe(403)
    const own = `Origin: http://${ownHost()}`
    const two = upgradeText({ Host: ownHost(), Origin: `http://${ownHost()}` }).replace(
      own,
      `${own}\r\nOrigin: http://evil.example`,
    )
    expect((await rawRequest(world.port, two)).status).toBe(403)
  })
})

describe('headers on every other answer', () => {
  const own = (): Record<string, string> => ({ Host: ownHost(), Origin: `http://${ownHost()}` })

  it.each<[string, number, () => string]>([
    ['an accepted upgrade', 101, () => upgradeText(own())],
    ['an upgrade elsewhere', 404, () => upgradeText(own(), '/')],
    ['an upgrade below', 404, () => upgradeText(own(), '/rpc/x')],
    ['an upgrade with a query', 404, () => upgradeText(own(), '/rpc?token=x')],
    ['an upgrade by POST', 400, () => upgradeText(own()).replace('GET', 'POST')],
    ['an upgrade to something else', 400, () => upgradeText({ ...own(), Upgrade: 'h2c' })],
    ['an upgrade without a key', 400, () => upgradeText({ ...own(), 'Sec-WebSocket-Key': undefined })],
    ['an upgrade of an old version', 400, () => upgradeText({ ...own(), 'Sec-WebSocket-Version': '7' })],
    ['no HTTP at all', 400, () => 'hello\r\n\r\n'],
    ['a broken header', 400, () => `GET / HTTP/1.1\r\nHost ${ownHost()}\r\n\r\n`],
    [
      'two lengths',
      400,
      () =>
        requestText('GET', '/', own()).replace(
          '\r\n\r\n',
          '\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
        ),
    ],
    ['huge headers', 431, () => requestText('GET', '/', { ...own(), 'X-Large': 'x'.repeat(20_000) })],
    ['an unknown expectation', 200, () => requestText('GET', '/', { ...own(), Expect: 'the-unexpected' })],
  ])('%s', async (_name, status, text) => {
    const response = await rawRequest(world.port, text())
    expect(response.status).toBe(status)
    expectGuarded(response)
  })
})

describe('the log', () => {
  it('holds no token after all this', () => {
    expect(output.join('\n')).not.toContain(world.token)
    expect(output.join('\n')).not.toContain(other.token)
  })
})
