import "node:module";
import vue from "@vitejs/plugin-vue";
import { resolve } from "node:path";
import { defineConfig } from "electron-vite";
// electron.vite.config.ts
const root = import.meta.dirname;
const entry = (path) => resolve(root, path);
var electron_vite_config_default = defineConfig({
	main: { build: {
		outDir: "dist/main",
		rollupOptions: {
			input: {
				shell: entry("src-main/shell/main.ts"),
				cli: entry("src-main/cli/main.ts"),
				trainer: entry("src-main/train/worker.ts"),
				decoder: entry("src-main/data/decoder-worker.ts")
			},
			output: { format: "es" }
		}
	} },
	preload: { build: {
		outDir: "dist/preload",
		externalizeDeps: false,
		isolatedEntries: true,
		rollupOptions: {
			input: { preload: entry("src-main/shell/preload.ts") },
			output: {
				format: "cjs",
				entryFileNames: "[name].cjs"
			}
		}
	} },
	renderer: {
		root: entry("src-renderer"),
		build: {
			outDir: entry("dist/renderer"),
			rollupOptions: { input: entry("src-renderer/index.html") }
		},
		plugins: [vue()]
	}
});
export { electron_vite_config_default as default };

//# sourceMappingURL=data:application/json;charset=utf-8;base64,eyJ2ZXJzaW9uIjozLCJmaWxlIjoiZWxlY3Ryb24udml0ZS5jb25maWcuanMiLCJuYW1lcyI6W10sInNvdXJjZXMiOlsiL3RtcC93L3NldC9lbGVjdHJvbi52aXRlLmNvbmZpZy50cyJdLCJzb3VyY2VzQ29udGVudCI6WyJpbXBvcnQgdnVlIGZyb20gJ0B2aXRlanMvcGx1Z2luLXZ1ZSdcbmltcG9ydCB7IHJlc29sdmUgfSBmcm9tICdub2RlOnBhdGgnXG5pbXBvcnQgeyBkZWZpbmVDb25maWcgfSBmcm9tICdlbGVjdHJvbi12aXRlJ1xuXG5jb25zdCByb290ID0gaW1wb3J0Lm1ldGEuZGlybmFtZVxuY29uc3QgZW50cnkgPSAocGF0aDogc3RyaW5nKTogc3RyaW5nID0+IHJlc29sdmUocm9vdCwgcGF0aClcblxuLy8gT25lIGJ1bmRsZSBwZXIgcnVudGltZTogYG1haW5gIGhvbGRzIHRoZSBOb2RlIGVudHJpZXMgKEVsZWN0cm9uIHNoZWxsLCBjb21tYW5kIGxpbmUsIGFuZCB0aGUgdGhyZWFkczpcbi8vIHRyYWluZXIgYW5kIGRlY29kZXIpLCBgcHJlbG9hZGAgaXMgb25lIENvbW1vbkpTIGZpbGUgYmVjYXVzZSBhIHNhbmRib3hlZCB3aW5kb3cgY2FuIGxvYWQgbm90aGluZyBlbHNlLlxuZXhwb3J0IGRlZmF1bHQgZGVmaW5lQ29uZmlnKHtcbiAgbWFpbjoge1xuICAgIGJ1aWxkOiB7XG4gICAgICBvdXREaXI6ICdkaXN0L21haW4nLFxuICAgICAgcm9sbHVwT3B0aW9uczoge1xuICAgICAgICBpbnB1dDoge1xuICAgICAgICAgIHNoZWxsOiBlbnRyeSgnc3JjLW1haW4vc2hlbGwvbWFpbi50cycpLFxuICAgICAgICAgIGNsaTogZW50cnkoJ3NyYy1tYWluL2NsaS9tYWluLnRzJyksXG4gICAgICAgICAgdHJhaW5lcjogZW50cnkoJ3NyYy1tYWluL3RyYWluL3dvcmtlci50cycpLFxuICAgICAgICAgIGRlY29kZXI6IGVudHJ5KCdzcmMtbWFpbi9kYXRhL2RlY29kZXItd29ya2VyLnRzJyksXG4gICAgICAgIH0sXG4gICAgICAgIG91dHB1dDogeyBmb3JtYXQ6ICdlcycgfSxcbiAgICAgIH0sXG4gICAgfSxcbiAgfSxcbiAgcHJlbG9hZDoge1xuICAgIGJ1aWxkOiB7XG4gICAgICBvdXREaXI6ICdkaXN0L3ByZWxvYWQnLFxuICAgICAgZXh0ZXJuYWxpemVEZXBzOiBmYWxzZSxcbiAgICAgIGlzb2xhdGVkRW50cmllczogdHJ1ZSxcbiAgICAgIHJvbGx1cE9wdGlvbnM6IHtcbiAgICAgICAgaW5wdXQ6IHsgcHJlbG9hZDogZW50cnkoJ3NyYy1tYWluL3NoZWxsL3ByZWxvYWQudHMnKSB9LFxuICAgICAgICBvdXRwdXQ6IHsgZm9ybWF0OiAnY2pzJywgZW50cnlGaWxlTmFtZXM6ICdbbmFtZV0uY2pzJyB9LFxuICAgICAgfSxcbiAgICB9LFxuICB9LFxuICByZW5kZXJlcjoge1xuICAgIHJvb3Q6IGVudHJ5KCdzcmMtcmVuZGVyZXInKSxcbiAgICBidWlsZDogeyBvdXREaXI6IGVudHJ5KCdkaXN0L3JlbmRlcmVyJyksIHJvbGx1cE9wdGlvbnM6IHsgaW5wdXQ6IGVudHJ5KCdzcmMtcmVuZGVyZXIvaW5kZXguaHRtbCcpIH0gfSxcbiAgICBwbHVnaW5zOiBbdnVlKCldLFxuICB9LFxufSlcbiJdLCJtYXBwaW5ncyI6Ijs7Ozs7QUFJQSxNQUFNLE9BQU8sWUFBWTtBQUN6QixNQUFNLFNBQVMsU0FBeUIsUUFBUSxNQUFNLElBQUk7QUFJMUQsSUFBQSwrQkFBZSxhQUFhO0NBQzFCLE1BQU0sRUFDSixPQUFPO0VBQ0wsUUFBUTtFQUNSLGVBQWU7R0FDYixPQUFPO0lBQ0wsT0FBTyxNQUFNLHdCQUF3QjtJQUNyQyxLQUFLLE1BQU0sc0JBQXNCO0lBQ2pDLFNBQVMsTUFBTSwwQkFBMEI7SUFDekMsU0FBUyxNQUFNLGlDQUFpQztHQUNsRDtHQUNBLFFBQVEsRUFBRSxRQUFRLEtBQUs7RUFDekI7Q0FDRixFQUNGO0NBQ0EsU0FBUyxFQUNQLE9BQU87RUFDTCxRQUFRO0VBQ1IsaUJBQWlCO0VBQ2pCLGlCQUFpQjtFQUNqQixlQUFlO0dBQ2IsT0FBTyxFQUFFLFNBQVMsTUFBTSwyQkFBMkIsRUFBRTtHQUNyRCxRQUFRO0lBQUUsUUFBUTtJQUFPLGdCQUFnQjtHQUFhO0VBQ3hEO0NBQ0YsRUFDRjtDQUNBLFVBQVU7RUFDUixNQUFNLE1BQU0sY0FBYztFQUMxQixPQUFPO0dBQUUsUUFBUSxNQUFNLGVBQWU7R0FBRyxlQUFlLEVBQUUsT0FBTyxNQUFNLHlCQUF5QixFQUFFO0VBQUU7RUFDcEcsU0FBUyxDQUFDLElBQUksQ0FBQztDQUNqQjtBQUNGLENBQUMifQ==