// A job that makes garbage: trees that live for a while, objects that don't, and text.
const DEPTH = 15;

export function garbage() {
  const kept = [];
  let nodes = 0;
  for (let round = 0; round < 200; round++) {
    kept[round % 8] = tree(DEPTH);
    nodes += count(kept[round % 8]);
    const rows = Array.from({ length: 5_000 }, (_, index) => ({ index, name: `row ${index}`, round }));
    nodes += JSON.parse(JSON.stringify(rows)).length;
  }
  return nodes;
}

function tree(depth) {
  return depth === 0 ? { left: null, right: null } : { left: tree(depth - 1), right: tree(depth - 1) };
}

function count(node) {
  return node.left === null ? 1 : 1 + count(node.left) + count(node.right);
}
