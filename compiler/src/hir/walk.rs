//! Visiting the sub-expressions of an expression.

use super::{Expr, ExprKind, MapEntry, StringPart};

/// Calls `visit` with every direct sub-expression, in source order.
pub fn each_child<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    match &expr.kind {
        ExprKind::Value(_)
        | ExprKind::Local(_)
        | ExprKind::Param(_)
        | ExprKind::Let(_)
        | ExprKind::Node(_)
        | ExprKind::Error => {}
        ExprKind::String(parts) => parts.iter().for_each(|part| {
            if let StringPart::Hole(hole) = part {
                visit(hole);
            }
        }),
        ExprKind::List(items) => items.iter().for_each(|(_, item)| visit(item)),
        ExprKind::ListFor { head, value } => {
            visit(&head.source);
            head.filter.iter().for_each(&mut *visit);
            visit(value);
        }
        ExprKind::Record(fields) | ExprKind::Variant { payload: fields, .. } => {
            fields.iter().for_each(|(_, value)| visit(value));
        }
        ExprKind::Map(entries) => entries.iter().for_each(|entry| match entry {
            MapEntry::Entry { key, value } => {
                visit(key);
                visit(value);
            }
            MapEntry::Spread(map) => visit(map),
        }),
        ExprKind::MapFor { head, key, value } => {
            visit(&head.source);
            head.filter.iter().for_each(&mut *visit);
            visit(key);
            visit(value);
        }
        ExprKind::Field { base, .. } => visit(base),
        ExprKind::Index { base, index } => {
            visit(base);
            visit(index);
        }
        ExprKind::Method { receiver, args, .. } => {
            visit(receiver);
            args.iter().for_each(visit);
        }
        ExprKind::Call { args, .. } | ExprKind::CallFn { args, .. } => args.iter().for_each(visit),
        ExprKind::Unary { operand, .. } => visit(operand),
        ExprKind::Binary { left, right, .. } => {
            visit(left);
            visit(right);
        }
        ExprKind::If { condition, then, otherwise } => [condition, then, otherwise].into_iter().for_each(|e| visit(e)),
        ExprKind::Match { scrutinee, arms } => {
            visit(scrutinee);
            arms.iter().for_each(|arm| visit(&arm.body));
        }
        ExprKind::Lambda { body, .. } => visit(body),
        ExprKind::Coerce(inner) => visit(inner),
    }
}

/// Calls `visit` with the expression and everything inside of it, outermost first.
pub fn each_expr<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    visit(expr);
    each_child(expr, &mut |child| each_expr(child, visit));
}
