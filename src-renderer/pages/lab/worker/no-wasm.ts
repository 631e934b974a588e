// Imported before tfjs: the page's content policy forbids WebAssembly, which a number library inside tfjs would try
// for speed and report as an error. Without the name it takes its plain way at once.
Reflect.deleteProperty(globalThis, 'WebAssembly')
