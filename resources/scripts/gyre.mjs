#!/usr/bin/env node
// The command line from a source checkout: builds when needed, then runs the built command.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureBuilt, root } from './build.mjs'

await ensureBuilt()
// npm runs scripts in the project's folder; relative paths mean the folder the person stands in.
if (process.env.INIT_CWD && process.env.npm_lifecycle_event === 'gyre') process.chdir(process.env.INIT_CWD)
await import(pathToFileURL(join(root, 'dist', 'main', 'cli.js')).href)
