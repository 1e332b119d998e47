import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { formatKey, type KeyPath, type Problem } from './problem.ts';

/** A YAML file as plain data, and where each part of it stands. */
export interface ReadDocument {
  /** `undefined` when the text is no YAML: `problems` say why. */
  readonly value: unknown;
  /** What is wrong with it as YAML. Duplicate keys still leave a `value`. */
  readonly problems: readonly Problem[];
  /** Of the key at `path`, or of the nearest key above it that is there. */
  positionOf(path: KeyPath): Position;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

export function readDocument(text: string): ReadDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    stringKeys: true,
    uniqueKeys: false,
  });
  const loose = looseAliases(document, lines);
  const problems = [
    // A warning is a tag that nobody knows: `!secret x` would silently be the text "x".
    ...[...document.errors, ...document.warnings].map((error) => yamlProblem(error, lines)),
    ...duplicateKeys(document, lines),
    ...loose,
  ];
  const positionOf = (path: KeyPath) => positionAt(lines, offsetOf(document, path));
  if (document.errors.length > 0) return { value: undefined, problems, positionOf };
  try {
    return { value: document.toJS(), problems, positionOf };
  } catch (error) {
    // toJS throws for aliases that lead nowhere or multiply without measure, and for merge keys of no mapping.
    const reason = { line: 0, column: 0, key: '', message: sentence(messageOf(error)) };
    return { value: undefined, problems: loose.length > 0 ? problems : [...problems, reason], positionOf };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function looseAliases(document: Document.Parsed, lines: LineCounter): Problem[] {
  const problems: Problem[] = [];
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return;
      const position = positionAt(lines, startOf(alias) ?? 0);
      problems.push({
        ...position,
        key: '',
        message: `*${alias.source} stands before its &${alias.source}, or without it`,
      });
    },
  });
  return problems;
}

/** The library's own check compares each key with each other one: minutes for 100,000 of them. */
function duplicateKeys(document: Document.Parsed, lines: LineCounter): Problem[] {
  const problems: Problem[] = [];
  visit(document, {
    Map(_, map, ancestors) {
      const firsts = new Map<string, unknown>();
      for (const { key } of map.items) {
        const text = keyText(key);
        const first = firsts.get(text);
        if (first === undefined) firsts.set(text, key);
        else
          problems.push({
            ...positionAt(lines, startOf(key) ?? 0),
            key: formatKey([...pathOf([...ancestors, map]), text]),
            message: `is there twice, first in line ${positionAt(lines, startOf(first) ?? 0).line}`,
          });
      }
    },
  });
  return problems;
}

function yamlProblem(error: YAMLError, lines: LineCounter): Problem {
  return { ...positionAt(lines, error.pos[0]), key: '', message: yamlMessage(error) };
}

/** The library's words, where they aren't about its own options. */
function yamlMessage({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here, the file may have one';
  if (code === 'NON_STRING_KEY') return 'a key is a text, not a list or a mapping';
  return sentence(message);
}

function sentence(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  // An empty file has no line for the counter to know.
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function offsetOf(document: Document.Parsed, path: KeyPath): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => keyText(key) === String(part));
      offset = startOf(pair?.key) ?? offset;
      node = pair?.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = startOf(node) ?? offset;
    } else {
      break;
    }
  }
  return offset;
}

/** `ancestors` go from the document down: a mapping's or list's child is the next of them but one or the next. */
function pathOf(ancestors: readonly unknown[]): KeyPath {
  return ancestors.flatMap((node, index) => {
    const child = ancestors[index + 1];
    if (isSeq(node) && child !== undefined) return [node.items.indexOf(child)];
    if (isMap(node)) return mapKeyOf(node, child);
    return [];
  });
}

function mapKeyOf(map: YAMLMap, child: unknown): KeyPath {
  const pair = map.items.find((item) => item === child);
  return pair ? [keyText(pair.key)] : [];
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value ?? '') : String(key);
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? ((node as ParsedNode).range?.[0] ?? undefined) : undefined;
}
