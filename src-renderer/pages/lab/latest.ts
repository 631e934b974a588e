// Questions that come faster than answers: one is under way, and of those that came meanwhile only the newest is asked.

/** @returns Asks; answers to questions that were overtaken before being asked never come. */
export function latestOnly<Question, Answer>(
  ask: (question: Question) => Promise<Answer>,
  use: (answer: Answer, question: Question) => void,
  fail: (error: unknown) => void,
): (question: Question) => void {
  let busy = false
  let next: { question: Question } | null = null

  async function work(): Promise<void> {
    busy = true
    while (next) {
      const { question } = next
      next = null
      try {
        use(await ask(question), question)
      } catch (error) {
        fail(error)
      }
    }
    busy = false
  }

  return (question) => {
    next = { question }
    if (!busy) void work()
  }
}
