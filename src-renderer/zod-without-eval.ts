// Imported before everything else: the page's content policy forbids eval, which zod would try for speed.
import { z } from 'zod'

z.config({ jitless: true })
