// The design being made: dataset, preset, configuration, engine. Kept on this computer between visits.
import {
  checkConfig,
  configKeys,
  configSchema,
  diffConfig,
  fieldInfo,
  presets,
  rangeInWords,
  type ConfigField,
  type RunConfig,
} from '#shared/config/index'
import { engineWish } from '#shared/contract/common'
import type { RunFile } from '#shared/contract/files'
import { defineStore } from 'pinia'
import { computed, shallowRef, watch } from 'vue'
import { z } from 'zod'

const draftShape = z.object({
  datasetId: z.string().nullable(),
  presetId: z.string().nullable(),
  /** What the fields are compared with and reset to: the preset, or the run it was copied from. */
  base: configSchema,
  config: configSchema,
  engine: engineWish,
  name: z.string(),
  copiedFrom: z.string().nullable(),
})
type DesignDraft = z.infer<typeof draftShape>

const storageKey = 'gyre-design'

const presetConfig = (id: string): RunConfig =>
  configSchema.parse(presets.find((preset) => preset.id === id)?.config ?? {})

function freshDraft(): DesignDraft {
  const presetId = presets[0]?.id ?? null
  const base = presetConfig(presetId ?? '')
  return { datasetId: null, presetId, base, config: { ...base }, engine: 'auto', name: '', copiedFrom: null }
}

function stored(): DesignDraft | undefined {
  try {
    return draftShape.safeParse(JSON.parse(localStorage.getItem(storageKey) ?? 'null')).data
  } catch {
    return undefined
  }
}

export const useDesignStore = defineStore('design', () => {
  // Replaced as a whole: what is sent to the service must be plain objects.
  const draft = shallowRef<DesignDraft>(stored() ?? freshDraft())

  /** Field → what is wrong with it; no run can be made while there is any. */
  const errors = computed(() => {
    const found: Partial<Record<ConfigField, string>> = {}
    for (const key of configKeys) {
      const allowed = configSchema.shape[key].safeParse(draft.value.config[key]).success
      if (!allowed) found[key] = `Takes ${rangeInWords(fieldInfo(key))}.`
    }
    if (Object.keys(found).length === 0)
      for (const { field, message } of checkConfig(draft.value.config).errors) found[field] ??= message
    return found
  })
  const valid = computed(() => Object.keys(errors.value).length === 0)
  const changed = computed(() => diffConfig(draft.value.base, draft.value.config))

  function patch(part: Partial<DesignDraft>): void {
    draft.value = { ...draft.value, ...part }
  }

  function set<K extends ConfigField>(key: K, value: RunConfig[K]): void {
    patch({ config: { ...draft.value.config, [key]: value } })
  }

  function reset(key: ConfigField): void {
    patch({ config: { ...draft.value.config, [key]: draft.value.base[key] } })
  }

  function usePreset(id: string): void {
    const base = presetConfig(id)
    patch({ presetId: id, base, config: { ...base }, copiedFrom: null })
  }

  /** Everything of a run, to be changed and trained anew. */
  function copyRun(run: RunFile): void {
    draft.value = {
      datasetId: run.dataset.id,
      presetId: null,
      base: run.config,
      config: { ...run.config },
      engine: run.engineWish,
      name: '',
      copiedFrom: run.name,
    }
  }

  watch(draft, (value) => {
    // A value out of range is the form's affair and is not kept.
    if (valid.value) localStorage.setItem(storageKey, JSON.stringify(value))
  })

  return { draft, errors, valid, changed, patch, set, reset, usePreset, copyRun }
})
