//! Expressions: precedence, suffixes, blocks, lists, comprehensions, `if`, `match`, lambdas.

use super::literal::{is_literal, key, parts, value};
use super::pattern::pattern;
use super::{Extra, Failure, Input, Rule, Source, binding, name, separator, span_of, text_of, upper, word};
use crate::ast::{
    Arm, BinaryOp, Block, BlockBody, Element, Entry, EntryKind, Expr, ExprKind, ForHead, ListBody, Name, UnaryOp,
};
use crate::token::Tok;
use chumsky::pratt::{Associativity, infix, left, none, right};
use chumsky::prelude::*;
use imm_ir::{Applicability, Diagnostic, Edit, Fix, Span, code};

/// Any expression.
pub(crate) fn expr<'a, E: Failure<'a>>() -> Rule<'a, Expr, E> {
    recursive(|expr| {
        let expr = expr.boxed();
        let shared = Shared::new(expr.clone());
        // What stands between `match` and its braces: a brace there is no payload.
        let bare = recursive(|bare| level(&shared, bare.boxed(), false));
        let shared = Shared { matching: matching(bare.boxed(), expr.clone()), ..shared };
        level(&shared, expr, true).labelled("an expression")
    })
    .boxed()
}

/// The parts that do not depend on whether a payload may follow.
struct Shared<'a, E: Failure<'a>> {
    args: Rule<'a, Vec<Expr>, E>,
    block: Rule<'a, Block, E>,
    list: Rule<'a, ExprKind, E>,
    paren: Rule<'a, ExprKind, E>,
    parts: Rule<'a, ExprKind, E>,
    matching: Rule<'a, ExprKind, E>,
    index: Rule<'a, Expr, E>,
}

impl<'a, E: Failure<'a>> Shared<'a, E> {
    fn new(expr: Rule<'a, Expr, E>) -> Self {
        let brackets = |rule: Rule<'a, Expr, E>| rule.delimited_by(just(Tok::LBracket), just(Tok::RBracket)).boxed();
        let args = expr.clone().separated_by(just(Tok::Comma)).allow_trailing().collect();
        let paren = expr.clone().delimited_by(just(Tok::LParen), just(Tok::RParen));
        Shared {
            args: args.delimited_by(just(Tok::LParen), just(Tok::RParen)).boxed(),
            block: block(expr.clone()),
            list: list(expr.clone()),
            paren: paren.map(|e| ExprKind::Paren(Box::new(e))).boxed(),
            parts: parts(expr.clone()).map(ExprKind::Str).boxed(),
            // Inside of what is matched, another `match` needs parentheses.
            matching: just(Tok::Error).to(ExprKind::Error).boxed(),
            index: brackets(expr),
        }
    }
}

fn level<'a, E: Failure<'a>>(shared: &Shared<'a, E>, inner: Rule<'a, Expr, E>, payload: bool) -> Rule<'a, Expr, E> {
    let condition = just(Tok::If)
        .ignore_then(inner.clone())
        .then_ignore(just(Tok::Then))
        .then(inner.clone())
        .then_ignore(just(Tok::Else))
        .then(inner.clone())
        .map(|((condition, then), otherwise)| ExprKind::If {
            condition: Box::new(condition),
            then: Box::new(then),
            otherwise: Box::new(otherwise),
        });
    let params = binding().separated_by(just(Tok::Comma)).allow_trailing().collect();
    let params = choice((binding().map(|n| vec![n]), params.delimited_by(just(Tok::LParen), just(Tok::RParen))));
    let lambda = params
        .then_ignore(just(Tok::FatArrow))
        .then(inner)
        .map(|(params, body)| ExprKind::Lambda { params, body: Box::new(body) });
    let other = choice((condition, lambda)).map_with(|kind, e| Expr { kind, span: span_of(e) });
    choice((single(), other, binary(unary(postfix(shared, primary(shared, payload)))))).boxed()
}

/// A literal or a name and nothing else: most expressions are one token, and this spares them all other rules.
fn single<'a, E: Failure<'a>>() -> impl Parser<'a, Input<'a>, Expr, Extra<'a, E>> + Clone {
    let token = any().filter(|t: &Tok| is_literal(*t) || *t == Tok::Ident);
    let ends =
        |t: &Tok| matches!(t, Tok::Newline | Tok::Comma | Tok::RBrace | Tok::RParen | Tok::RBracket | Tok::HoleClose);
    token.then_ignore(any().filter(ends).rewind()).map_with(|kind, e| {
        let (text, span) = text_of(e);
        let name = |text: &str| ExprKind::Name(Name { text: text.into(), span });
        Expr { kind: if kind == Tok::Ident { name(text) } else { value(kind, text, span) }, span }
    })
}

fn primary<'a, E: Failure<'a>>(shared: &Shared<'a, E>, payload: bool) -> Rule<'a, Expr, E> {
    enum Suffix {
        Args(Vec<Expr>),
        Payload(Block),
    }
    let literal = any().filter(|t| is_literal(*t)).map_with(|kind, e| {
        let (text, span) = text_of(e);
        value(kind, text, span)
    });
    let args = shared.args.clone().map(Suffix::Args);
    let suffix = if payload { choice((args, shared.block.clone().map(Suffix::Payload))).boxed() } else { args.boxed() };
    let make = |ty: Option<Name>, name: Name, suffix| match (suffix, ty) {
        (Some(Suffix::Args(args)), ty) => ExprKind::Call { ty, name, args },
        (Some(Suffix::Payload(fields)), ty) => ExprKind::Construct { ty, name, fields },
        (None, Some(ty)) => ExprKind::Qualified { ty, name },
        (None, None) => ExprKind::Name(name),
    };
    let plain = name().then(suffix.clone().or_not()).map(move |(name, suffix)| make(None, name, suffix));
    let qualified = upper()
        .then_ignore(just(Tok::Dot))
        .then(name())
        .then(suffix.or_not())
        .map(move |((ty, name), suffix)| make(Some(ty), name, suffix));
    choice((
        plain,
        literal,
        shared.parts.clone(),
        shared.paren.clone(),
        shared.list.clone(),
        shared.block.clone().map(ExprKind::Block),
        shared.matching.clone(),
        qualified,
    ))
    .map_with(|kind, e| Expr { kind, span: span_of(e) })
    .boxed()
}

fn postfix<'a, E: Failure<'a>>(shared: &Shared<'a, E>, primary: Rule<'a, Expr, E>) -> Rule<'a, Expr, E> {
    enum Suffix {
        Member { name: Name, args: Option<Vec<Expr>>, optional: bool },
        Index(Expr),
    }
    let dot = choice((just(Tok::Dot).to(false), just(Tok::QuestionDot).to(true)));
    let member = dot
        .then(word("a name", |t| t.is_word() || t == Tok::Upper))
        .then(shared.args.clone().or_not())
        .map(|((optional, name), args)| Suffix::Member { name, args, optional });
    let index = shared.index.clone().map(Suffix::Index);
    primary
        .foldl_with(choice((member, index)).repeated(), |base, suffix, e| {
            let base = Box::new(base);
            let kind = match suffix {
                Suffix::Member { name, args: Some(args), optional } => ExprKind::Method { base, name, args, optional },
                Suffix::Member { name, args: None, optional } => ExprKind::Field { base, name, optional },
                Suffix::Index(index) => ExprKind::Index { base, index: Box::new(index) },
            };
            Expr { kind, span: span_of(e) }
        })
        .boxed()
}

fn unary<'a, E: Failure<'a>>(operand: Rule<'a, Expr, E>) -> Rule<'a, Expr, E> {
    let op = choice((just(Tok::Minus).to(UnaryOp::Neg), just(Tok::Bang).to(UnaryOp::Not)));
    op.map_with(|op, e| (op, span_of(e)))
        .repeated()
        .foldr_with(operand.labelled("an expression"), |(op, op_span), operand, _| {
            let span = op_span.to(operand.span);
            Expr { kind: ExprKind::Unary { op, op_span, operand: Box::new(operand) }, span }
        })
        .labelled("an expression")
        .boxed()
}

fn binary<'a, E: Failure<'a>>(operand: Rule<'a, Expr, E>) -> Rule<'a, Expr, E> {
    let level = |associativity: Associativity, accept: fn(Tok) -> bool| {
        let op = any().filter(move |t| accept(*t)).map_with(|t, e| (operator(t), span_of(e)));
        infix(
            associativity,
            op,
            |left: Expr, (op, op_span): (BinaryOp, Span), right: Expr, e: &mut super::Map<'a, '_, E>| {
                join(&mut e.state().0, left, op, op_span, right)
            },
        )
    };
    operand
        .pratt((
            level(left(8), |t| matches!(t, Tok::Star | Tok::Slash)),
            level(left(7), |t| matches!(t, Tok::Plus | Tok::Minus)),
            level(none(6), |t| matches!(t, Tok::DotDot | Tok::DotDotEq)),
            level(right(5), |t| t == Tok::Coalesce),
            level(none(4), |t| (Tok::EqEq..=Tok::Ge).contains(&t) || t == Tok::In),
            level(left(3), |t| t == Tok::AndAnd),
            level(left(2), |t| t == Tok::OrOr),
        ))
        .boxed()
}

fn operator(token: Tok) -> BinaryOp {
    match token {
        Tok::Star => BinaryOp::Mul,
        Tok::Slash => BinaryOp::Div,
        Tok::Plus => BinaryOp::Add,
        Tok::Minus => BinaryOp::Sub,
        Tok::DotDot => BinaryOp::Range,
        Tok::DotDotEq => BinaryOp::RangeInclusive,
        Tok::Coalesce => BinaryOp::Coalesce,
        Tok::EqEq => BinaryOp::Eq,
        Tok::NotEq => BinaryOp::Ne,
        Tok::Lt => BinaryOp::Lt,
        Tok::Le => BinaryOp::Le,
        Tok::Gt => BinaryOp::Gt,
        Tok::Ge => BinaryOp::Ge,
        Tok::In => BinaryOp::In,
        Tok::AndAnd => BinaryOp::And,
        _ => BinaryOp::Or,
    }
}

fn join(source: &mut Source<'_>, left: Expr, op: BinaryOp, op_span: Span, right: Expr) -> Expr {
    if op == BinaryOp::In
        && let ExprKind::Unary { op: UnaryOp::Not, op_span: bang, operand } = left.kind
    {
        let whole = bang.to(right.span);
        let show = |span: Span| source.text.get(span.range()).unwrap_or("…");
        let mut fixed = format!("!({} in {})", show(operand.span), show(right.span));
        if fixed.contains('\n') {
            fixed = "!(… in …)".to_owned();
        }
        let edits = vec![
            Edit { span: bang.after(), text: "(".to_owned() },
            Edit { span: right.span.after(), text: ")".to_owned() },
        ];
        let mut diagnostic = Diagnostic::error(code::SYNTAX, whole, "`!` here binds to the left side of `in` only")
            .help(format!("write `{fixed}`"));
        let title = "put the whole test in parentheses".to_owned();
        diagnostic.fixes.push(Fix { title, applicability: Applicability::Safe, edits });
        source.notes.push(diagnostic);
        // The tree is what was meant, so that nothing else is found wrong with it.
        let test = join(source, *operand, op, op_span, right);
        return Expr {
            kind: ExprKind::Unary { op: UnaryOp::Not, op_span: bang, operand: Box::new(test) },
            span: whole,
        };
    }
    let span = left.span.to(right.span);
    Expr { kind: ExprKind::Binary { op, op_span, left: Box::new(left), right: Box::new(right) }, span }
}

/// `for A[, B] in SOURCE [if FILTER]`.
pub(super) fn for_head<'a, E: Failure<'a>>(expr: Rule<'a, Expr, E>) -> Rule<'a, ForHead, E> {
    just(Tok::For)
        .ignore_then(binding())
        .then(just(Tok::Comma).ignore_then(binding()).or_not())
        .then_ignore(just(Tok::In))
        .then(expr.clone())
        .then(just(Tok::If).ignore_then(expr).or_not())
        .map_with(|(((first, second), source), filter), e| ForHead { first, second, source, filter, span: span_of(e) })
        .boxed()
}

/// `{ … }`.
pub(super) fn block<'a, E: Failure<'a>>(expr: Rule<'a, Expr, E>) -> Rule<'a, Block, E> {
    let each = for_head(expr.clone())
        .then_ignore(just(Tok::Colon))
        .then(expr.clone().delimited_by(just(Tok::LBracket), just(Tok::RBracket)))
        .then_ignore(just(Tok::Assign))
        .then(expr.clone())
        .map(|((head, key), value)| BlockBody::For {
            head: Box::new(head),
            key: Box::new(key),
            value: Box::new(value),
        });
    let field = key(expr.clone())
        .then_ignore(just(Tok::Assign))
        .then(expr.clone())
        .map(|(key, value)| EntryKind::Field { key, value });
    let spread = just(Tok::DotDot).ignore_then(expr).map(EntryKind::Spread);
    let short = name().map(EntryKind::Short);
    let error = just(Tok::Error).to(EntryKind::Error);
    let entry = choice((field, spread, short, error)).map_with(|kind, e| Entry { kind, span: span_of(e) });
    let entries = entry.separated_by(separator()).allow_trailing().collect().map(BlockBody::Entries);
    // `for` can also be a field: `for = 5s` fails in `each` at its second token.
    choice((each.then_ignore(separator().or_not()), entries))
        .delimited_by(just(Tok::LBrace), just(Tok::RBrace))
        .map_with(|body, e| Block { body, span: span_of(e) })
        .boxed()
}

fn list<'a, E: Failure<'a>>(expr: Rule<'a, Expr, E>) -> Rule<'a, ExprKind, E> {
    let each = for_head(expr.clone())
        .then_ignore(just(Tok::Colon))
        .then(expr.clone())
        .then_ignore(just(Tok::Comma).or_not())
        .map(|(head, value)| ListBody::For { head: Box::new(head), value: Box::new(value) });
    let spread = just(Tok::DotDot).map_with(|_, e| span_of(e)).or_not();
    let element = spread.then(expr).map(|(spread, value)| Element { spread, value });
    let elements = element.separated_by(just(Tok::Comma)).allow_trailing().collect().map(ListBody::Elements);
    choice((each, elements)).delimited_by(just(Tok::LBracket), just(Tok::RBracket)).map(ExprKind::List).boxed()
}

fn matching<'a, E: Failure<'a>>(scrutinee: Rule<'a, Expr, E>, expr: Rule<'a, Expr, E>) -> Rule<'a, ExprKind, E> {
    let arm = pattern(expr.clone())
        .separated_by(just(Tok::Pipe))
        .at_least(1)
        .collect()
        .then_ignore(just(Tok::FatArrow))
        .then(expr)
        .map_with(|(patterns, body), e| Arm { patterns, body, span: span_of(e) });
    let arms = arm.separated_by(separator()).at_least(1).allow_trailing().collect();
    just(Tok::Match)
        .ignore_then(scrutinee)
        .then(arms.delimited_by(just(Tok::LBrace), just(Tok::RBrace)))
        .map(|(scrutinee, arms)| ExprKind::Match { scrutinee: Box::new(scrutinee), arms })
        .boxed()
}
