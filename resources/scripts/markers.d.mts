export function intoPage(page: string, texts: Readonly<Record<string, string>>): string
