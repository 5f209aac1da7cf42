"""Small mistakes, made by machine in the code of a solution."""

import ast
import copy

SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.GtE,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.LtE: ast.Gt,
}
NAMES = {
    "log": "log2",
    "exp": "exp2",
    "mean": "sum",
    "sum": "mean",
    "max": "min",
    "min": "max",
    "std": "var",
    "idxmax": "idxmin",
    "kl": "chebyshev",
    "all": "any",
}


def changes(node):
    """The nodes that may stand in place of a node, each with the name of its change."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        for step in (1, -1):
            yield "off by one", ast.Constant(node.value + step)
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        other = SWAPS[type(node.op)]()
        yield "operator", ast.BinOp(node.left, other, node.right)
        if isinstance(node.op, ast.Div):
            yield "no normalisation", node.left
        if isinstance(node.op, ast.Sub):
            yield "sign", ast.BinOp(node.right, ast.Sub(), node.left)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if not isinstance(node.operand, ast.Constant):
            yield "sign", node.operand
        elif isinstance(node.operand.value, int):
            yield "axis", ast.Constant(node.operand.value - 1)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        other = SWAPS[type(node.ops[0])]()
        yield "comparison", ast.Compare(node.left, [other], node.comparators)
    if isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield f"{node.attr}", ast.Attribute(node.value, NAMES[node.attr], node.ctx)
    if isinstance(node, ast.Name) and node.id in ("min", "max"):
        yield f"{node.id}", ast.Name(NAMES[node.id], node.ctx)


def mutants(source):
    """Sources of the last function with one mistake each, and the mistake in words."""
    function = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)][-1]
    inner = [node for statement in function.body[1:] for node in ast.walk(statement)]
    for number, node in enumerate(inner):
        for words, other in changes(node):
            changed = copy.deepcopy(function)
            same = [n for part in changed.body[1:] for n in ast.walk(part)]
            swapped = _Swap(same[number], other).visit(changed)
            text = ast.unparse(ast.fix_missing_locations(swapped))
            before, after = (
                ast.unparse(node),
                ast.unparse(ast.fix_missing_locations(other)),
            )
            yield f"{words}: {before} -> {after}", text


class _Swap(ast.NodeTransformer):
    def __init__(self, node, other):
        self.node, self.other = node, other

    def visit(self, node):
        return self.other if node is self.node else super().generic_visit(node)
