/**
 * Lint rule: a map whose keys are any text is read with `readKey` (contracts/objects/own-key.ts), never with `map[key]`
 * or `key in map`. Who chooses the key could otherwise name what every JavaScript object inherits: `constructor` would
 * be a label of every pod.
 */
import ts from 'typescript';

const MESSAGE =
  'read a map at a key that is any text with readKey, or use a Map: map[key] also finds what every object inherits.';

/** Whether the type is `string` or a template, or may be: no literal that the source itself names. */
function isAnyText(type) {
  return type.isUnion()
    ? type.types.some(isAnyText)
    : (type.flags & (ts.TypeFlags.String | ts.TypeFlags.TemplateLiteral)) !== 0;
}

function isMapOfTexts(type, checker) {
  return type.isUnion()
    ? type.types.some((t) => isMapOfTexts(t, checker))
    : checker.getIndexInfoOfType(type, ts.IndexKind.String) !== undefined;
}

function isWritten(node) {
  const { parent } = node;
  return (
    (parent.type === 'AssignmentExpression' && parent.operator === '=' && parent.left === node) ||
    (parent.type === 'UnaryExpression' && parent.operator === 'delete')
  );
}

export const ownKey = {
  meta: { type: 'problem', schema: [], messages: { inherited: MESSAGE } },
  create(context) {
    const { program, getTypeAtLocation } = context.sourceCode.parserServices;
    const checker = program.getTypeChecker();
    const check = (node, map, key) => {
      if (
        isAnyText(getTypeAtLocation(key)) &&
        isMapOfTexts(checker.getNonNullableType(getTypeAtLocation(map)), checker)
      )
        context.report({ node, messageId: 'inherited' });
    };
    return {
      'MemberExpression[computed=true]'(node) {
        if (!isWritten(node)) check(node, node.object, node.property);
      },
      'BinaryExpression[operator="in"]'(node) {
        check(node, node.right, node.left);
      },
    };
  },
};
