// A vitest reporter that names every skipped test with its reason and appends the counts to a file, so that
// the suites can be summed.
import { appendFileSync } from 'node:fs'

export default class CountReporter {
  counts = { passed: 0, failed: 0, skipped: 0 }

  onTestCaseResult(test) {
    const { state, note } = test.result()
    if (state === 'passed' || state === 'failed') this.counts[state]++
    if (state === 'skipped') {
      this.counts.skipped++
      process.stdout.write(`skipped: ${test.fullName}: ${note ?? 'no reason given'}\n`)
    }
  }

  onTestModuleEnd(module) {
    // A file that cannot even be collected counts as one failure.
    if (module.errors().length > 0) this.counts.failed++
  }

  onTestRunEnd(modules, errors) {
    if (errors.length > 0) this.counts.failed += errors.length
    const file = process.env.GYRE_TEST_COUNTS
    if (file) appendFileSync(file, `${JSON.stringify(this.counts)}\n`)
  }
}
