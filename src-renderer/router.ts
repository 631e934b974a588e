// Addresses of the window, after the # so that any host can serve the page.
import { createRouter, createWebHashHistory, type Router } from 'vue-router'

/** `up`: where Esc leads. */
declare module 'vue-router' {
  interface RouteMeta {
    title: string
    up?: string
  }
}

export function makeRouter(history = createWebHashHistory()): Router {
  return createRouter({
    history,
    routes: [
      { path: '/', redirect: '/data' },
      {
        path: '/data/:id?',
        name: 'data',
        component: () => import('./pages/data/DataPage.vue'),
        meta: { title: 'Data' },
      },
      {
        path: '/design',
        name: 'design',
        component: () => import('./pages/design/DesignPage.vue'),
        meta: { title: 'Design', up: '/data' },
      },
      {
        path: '/train/:id?',
        name: 'train',
        component: () => import('./pages/train/TrainPage.vue'),
        meta: { title: 'Train', up: '/runs' },
      },
      {
        path: '/inspect/:id?',
        name: 'inspect',
        component: () => import('./pages/inspect/InspectPage.vue'),
        meta: { title: 'Inspect', up: '/runs' },
      },
      {
        path: '/export/:id?',
        name: 'export',
        component: () => import('./pages/export/ExportPage.vue'),
        meta: { title: 'Export', up: '/runs' },
      },
      {
        path: '/runs',
        name: 'runs',
        component: () => import('./pages/runs/RunsPage.vue'),
        meta: { title: 'Runs' },
      },
      {
        path: '/lab',
        name: 'lab',
        component: () => import('./pages/lab/LabPage.vue'),
        meta: { title: 'Lab' },
      },
      {
        path: '/settings',
        name: 'settings',
        component: () => import('./pages/settings/SettingsPage.vue'),
        meta: { title: 'Settings' },
      },
      { path: '/:rest(.*)*', redirect: '/data' },
    ],
  })
}

/** Fetches the pages of all places, so that each opens at once, and also while the connection is lost. */
export function fetchPlaces(router: Router): void {
  for (const { components } of router.getRoutes()) {
    const page = components?.['default']
    // A page that can't be fetched now is asked for again when somebody goes there.
    if (typeof page === 'function') (page as () => Promise<unknown>)().catch(() => undefined)
  }
}
