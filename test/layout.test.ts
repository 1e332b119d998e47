// The architecture as a test: which folder may import which, and that every folder has one door.
// The rules are those of docs/architecture.md and are checked on the text of the import lines.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

/** What each top folder of src may import from beside itself. Arrows point downward, so there is no cycle. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  posix: [],
  document: [],
  log: [],
  wire: [],
  takeover: ['posix'],
  zygote: ['posix', 'wire'],
  api: [],
  client: ['api', 'wire'],
  daemon: ['document', 'log', 'posix', 'takeover', 'wire', 'zygote'],
  cloud: ['api', 'client', 'document', 'log', 'posix', 'takeover', 'wire'],
  // `rocksy server` and what works on files alone are parts of the cloud that the command starts; `doctor --fork` starts zygotes.
  cli: ['api', 'client', 'cloud', 'document', 'posix', 'wire', 'zygote'],
};

/** Folders that are entered by themselves, and not through the folder around them. */
const SECOND_DOORS: ReadonlySet<string> = new Set([
  'src/wire/requests/index.ts',
  'src/cloud/import/index.ts',
  'src/cloud/server/index.ts',
  'src/cloud/store/index.ts',
  'src/zygote/node/trials/index.ts',
]);

/** A source tree: path below the root (`src/wire/frame.ts`) → text. */
type Tree = ReadonlyMap<string, string>;

test('imports point downward, and every folder is entered by its index.ts', () => {
  assert.deepEqual(offendingImports(readTree()), []);
});

test('every folder with TypeScript has an index.ts that begins with three lines of comment', () => {
  assert.deepEqual(foldersWithoutDoor(readTree()), []);
});

test('the check finds an import that points upward', () => {
  const tree = new Map([
    ['src/takeover/keeper.ts', "import { parseLine } from '../wire/index.ts';"],
    ['src/daemon/link.ts', "export * from '../cloud/index.ts';"],
    ['src/wire/frame.ts', "const { open } = await import('../client/index.ts');"],
  ]);
  assert.deepEqual(offendingImports(tree), [
    'src/daemon/link.ts imports ../cloud/index.ts: daemon must not know cloud',
    'src/takeover/keeper.ts imports ../wire/index.ts: takeover must not know wire',
    'src/wire/frame.ts imports ../client/index.ts: wire must not know client',
  ]);
});

test('the check finds an import past a door, also on several lines and for types only', () => {
  const tree = new Map([
    [
      'src/daemon/rocksyd.ts',
      "import type {\n  Framed,\n} from '../wire/frame.ts';\nimport './journal/thread.ts';",
    ],
    ['src/daemon/runs/registry.ts', "import { open } from '../journal/journal.ts';"],
    ['src/client/client.test.ts', "import '../wire/frame.ts';"],
  ]);
  assert.deepEqual(offendingImports(tree), [
    'src/client/client.test.ts imports ../wire/frame.ts: the door of src/wire is its index.ts',
    'src/daemon/rocksyd.ts imports ../wire/frame.ts: the door of src/wire is its index.ts',
    'src/daemon/rocksyd.ts imports ./journal/thread.ts: the door of src/daemon/journal is its index.ts',
    'src/daemon/runs/registry.ts imports ../journal/journal.ts: the door of src/daemon/journal is its index.ts',
  ]);
});

test('the check finds an import of the package by its own name and one that leaves src', () => {
  const tree = new Map([
    ['src/cli/run.ts', "import { connect } from 'rocksy/client';\nimport '../../test/e2e/daemon.ts';"],
  ]);
  assert.deepEqual(offendingImports(tree), [
    'src/cli/run.ts imports rocksy/client: that is the published package; import the folder',
    'src/cli/run.ts imports ../../test/e2e/daemon.ts: it leaves src',
  ]);
});

test('the check accepts what is right: doors, own files, files of the folders above, examples in comments', () => {
  const tree = new Map([
    [
      'src/daemon/runs/registry.ts',
      [
        "import { readFileSync } from 'node:fs';",
        "import { parseLine } from '../../wire/index.ts';",
        "import { open } from '../journal/index.ts';",
        "import type { Clock } from '../clock.ts';",
        "import { next } from './run.ts';",
        "// import { x } from '../../cloud/inner.ts'",
        "/* for example: import { y } from '../../cloud/inner.ts' */",
      ].join('\n'),
    ],
    ['src/zygote/php/php.test.ts', "import { serve } from './fixtures/serve.ts';"],
    ['src/daemon/version.ts', "import about from '../../package.json' with { type: 'json' };"],
  ]);
  assert.deepEqual(offendingImports(tree), []);
});

test('the check finds a folder without a door and a door without its three lines', () => {
  const tree = new Map([
    ['src/wire/frame.ts', ''],
    ['src/posix/index.ts', "// The system calls.\nexport * from './libc.ts';"],
    ['src/client/index.ts', '// One.\n// Two.\n// Three.\nexport {};'],
    ['src/cli/index.ts', '/**\n * One.\n * Two.\n * Three.\n */\nexport {};'],
    ['src/zygote/php/fixtures/serve.ts', ''],
  ]);
  assert.deepEqual(foldersWithoutDoor(tree), [
    'src/posix/index.ts: must begin with a comment of three lines (what it is for, what it must not know)',
    'src/wire: has no index.ts',
  ]);
});

function readTree(): Tree {
  const root = join(import.meta.dirname, '..');
  return new Map(
    globSync('src/**/*.ts', { cwd: root }).map((file) => [file, readFileSync(join(root, file), 'utf8')]),
  );
}

/** One line for each import that breaks a rule, sorted by file. */
function offendingImports(tree: Tree): string[] {
  return [...tree.keys()].sort().flatMap((file) =>
    importsOf(tree.get(file) ?? '').flatMap((specifier) => {
      const reason = whyNot(file, specifier);
      return reason === undefined ? [] : [`${file} imports ${specifier}: ${reason}`];
    }),
  );
}

/** Every module that a source file names in an import or export, static or dynamic, in order. */
function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const statement = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g;
  return [...code.matchAll(statement)].map((match) => match[2] ?? '');
}

function whyNot(file: string, specifier: string): string | undefined {
  if (/^rocksy(\/|$)/.test(specifier)) return 'that is the published package; import the folder';
  if (!specifier.startsWith('.')) return undefined;

  const target = normalize(join(dirname(file), specifier));
  if (target === 'package.json') return undefined;
  if (!target.startsWith('src/')) return 'it leaves src';

  const from = topFolder(file);
  const to = topFolder(target);
  if (from !== to && !MAY_IMPORT[from]?.includes(to)) return `${from} must not know ${to}`;

  if (SECOND_DOORS.has(target)) return undefined;
  const entered = firstFolderEntered(file, target);
  return entered === undefined || target === `${entered}/index.ts`
    ? undefined
    : `the door of ${entered} is its index.ts`;
}

function topFolder(path: string): string {
  return path.split('/')[1] ?? '';
}

/** The outermost folder that holds `target` and not `file`. Fixtures are part of the folder that they serve. */
function firstFolderEntered(file: string, target: string): string | undefined {
  const folders = ancestors(target).filter((folder) => !file.startsWith(`${folder}/`));
  return folders.find((folder) => !folder.endsWith('/fixtures'));
}

/** `src/a/b/c.ts` → `src`, `src/a`, `src/a/b`. */
function ancestors(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function foldersWithoutDoor(tree: Tree): string[] {
  const folders = new Set(
    [...tree.keys()]
      // A folder whose code is in another language (php) has TypeScript for its tests only.
      .filter((file) => !/(\.test|-under-test)\.ts$/.test(file))
      .map(dirname)
      .filter((folder) => !folder.split('/').includes('fixtures')),
  );
  folders.delete('src');
  return [...folders].sort().flatMap((folder) => {
    const door = tree.get(`${folder}/index.ts`);
    if (door === undefined) return [`${folder}: has no index.ts`];
    return leadingCommentLines(door) >= 3
      ? []
      : [
          `${folder}/index.ts: must begin with a comment of three lines (what it is for, what it must not know)`,
        ];
  });
}

/** Lines with words in the comment that a file begins with. */
function leadingCommentLines(text: string): number {
  const comment = /^(?:(?:\/\/.*\n)+|\/\*[\s\S]*?\*\/)/.exec(text)?.[0] ?? '';
  return comment.split('\n').filter((line) => /\w/.test(line)).length;
}
