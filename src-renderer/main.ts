// Starts the window: token out of the address first, then the connection, then the page.
import './zod-without-eval'
import './styles/tokens.css'
import './styles/base.css'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import { connect } from './api/client'
import { splitHash, takeToken } from './api/token'
import App from './App.vue'
import { fetchPlaces, makeRouter } from './router'

takeToken()
// A fresh address pasted into this tab changes only what follows the #.
addEventListener('hashchange', () => {
  if (splitHash(location.hash).token === null) return
  takeToken()
  location.reload()
})

connect()
const router = makeRouter()
createApp(App).use(createPinia()).use(router).mount('#app')
void router.isReady().then(() => fetchPlaces(router))
