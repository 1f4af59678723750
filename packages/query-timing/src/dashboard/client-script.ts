import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The client's modules are not where they belong; the message says what to do. */
export class PageMissingError extends Error {
  override readonly name = 'PageMissingError';
}

/**
 * The client's modules as one script without imports: each once, in a function of its own, after those it imports. They are
 * compiled as any module of the package and lie beside this one; run from source, their types are stripped here. So the
 * page takes no build step of its own. It understands what modules of the client keep to: named imports of relative files,
 * each to its semicolon, `export` in front of functions, classes and constants, and no circles.
 *
 * Trap: a bundler that takes this module along does not take them; the package must stay external.
 *
 * @param entry name in `client/`, without its extension
 * @throws {PageMissingError}
 */
export async function clientScript(entry: string): Promise<string> {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const names = new Map<string, string>();
  const parts: string[] = [];
  const add = async (url: URL): Promise<string> => {
    const known = names.get(url.href);
    if (known !== undefined) {
      return known;
    }
    const name = `m${names.size}`;
    names.set(url.href, name);
    const code = await moduleCode(url);
    const sources = new Map<string, string>();
    for (const [, , path = ''] of code.matchAll(imports)) {
      sources.set(path, await add(new URL(path, url)));
    }
    parts.push(scriptOf(name, code, sources));
    return name;
  };
  await add(new URL(`./client/${entry}${extension}`, import.meta.url));
  return parts.join('\n');
}

/** As the compiler writes them: at the beginning of a line, to the semicolon. */
const imports = /^import \{([^}]*)\} from '([^']+)';/gm;

const exports = /^export (?=(?:async )?(?:function|const|class) (\w+))/gm;

async function moduleCode(url: URL): Promise<string> {
  let source;
  try {
    source = await readFile(fileURLToPath(url), 'utf8');
  } catch {
    throw new PageMissingError(
      'The code of the page has to lie beside the module that reads it, but does not: a bundler has moved the module. ' +
        'Leave @mikrokit/query-timing external (in esbuild: external, in webpack: externals).',
    );
  }
  return url.pathname.endsWith('.ts') ? stripTypeScriptTypes(source) : source;
}

/** A module as a function that returns what it exports. @param sources name of each module that it imports, by path */
function scriptOf(name: string, code: string, sources: ReadonlyMap<string, string>): string {
  const exported = Array.from(code.matchAll(exports), ([, each]) => each);
  const body = code
    .replace(
      imports,
      (_, list: string, path: string) => `const {${list.replace(/ as /g, ': ')}} = ${sources.get(path)};`,
    )
    .replace(exports, '')
    .replace(/^export \{\};$/gm, '')
    // Comments, and what types leave behind, are of no use to a browser.
    .replace(/^\/\/# sourceMappingURL=.*$/gm, '')
    .replace(/^[ \t]*\/\*\*[\s\S]*?\*\/[ \t]*$/gm, '')
    .replace(/^[ \t]*\/\/.*$/gm, '')
    .replace(/[ \t]+$/gm, '')
    .replace(/^\n+/gm, '')
    // Within a script element these would begin or end something, even in a string.
    .replace(/<(?=\/script|!--)/gi, '\\x3c');
  return `const ${name} = (() => {\n${body}return { ${exported.join(', ')} };\n})();`;
}
