//! Expressions: precedence, suffixes, `if`, lambdas. What has brackets of its own is in `block`.

use super::list::Separator;
use super::literal::is_literal;
use super::wanted::Label;
use super::{Grammar, Made, Stuck, is_binding, is_name};
use crate::ast::{BinaryOp, Call, Construct, Expr, ExprKind, Member, Method, Name, Qualified, UnaryOp};
use crate::token::Tok;
use imm_ir::{Applicability, Diagnostic, Edit, Fix, Span, code};

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    /// Between `match` and its braces: a brace there is no payload, and another `match` needs parentheses.
    Matched,
}

impl<const EXPLAINS: bool> Grammar<'_, EXPLAINS> {
    /// Any expression.
    pub(super) fn expr(&mut self) -> Made<Expr> {
        self.labelled(Label::Expression, |g| g.level(Place::Anywhere))
    }

    fn inner(&mut self, place: Place) -> Made<Expr> {
        match place {
            Place::Anywhere => self.expr(),
            Place::Matched => self.level(place),
        }
    }

    pub(super) fn boxed(&mut self, place: Place) -> Made<Box<Expr>> {
        self.inner(place).map(Box::new)
    }

    fn level(&mut self, place: Place) -> Made<Expr> {
        let start = self.at;
        if let Some(expr) = self.single() {
            return Ok(expr);
        }
        if self.take(Tok::If) {
            let condition = self.boxed(place)?;
            self.expect(Tok::Then)?;
            let then = self.boxed(place)?;
            self.expect(Tok::Else)?;
            let otherwise = self.boxed(place)?;
            return Ok(self.made(start, ExprKind::If { condition, then, otherwise }));
        }
        if let Some(params) = self.lambda() {
            let body = self.boxed(place)?;
            return Ok(self.made(start, ExprKind::Lambda { params, body }));
        }
        self.binary(place, 0)
    }

    /// A literal or a name that cannot go on. Most expressions are: this spares them all other rules.
    fn single(&mut self) -> Option<Expr> {
        let token = self.tokens.get(self.at).copied()?;
        let ends = matches!(
            self.ahead(1)?,
            Tok::Newline | Tok::Comma | Tok::RBrace | Tok::RParen | Tok::RBracket | Tok::HoleClose
        );
        let kind = match token.kind {
            Tok::Ident if ends => ExprKind::Name(self.name_of(token)),
            kind if ends && is_literal(kind) => self.literal_of(token),
            _other => return None,
        };
        self.at += 1;
        Some(Expr { kind, span: token.span(self.file) })
    }

    fn made(&self, start: usize, kind: ExprKind) -> Expr {
        Expr { kind, span: self.span_from(start) }
    }

    /// `x =>`, `(a, b) =>`. None, with nothing taken, if something else stands here.
    fn lambda(&mut self) -> Option<Vec<Name>> {
        let start = self.at;
        let params = if self.take(Tok::LParen) {
            self.elements(Separator::Comma, Tok::RParen, Self::binding).ok()
        } else if self.peek().is_some_and(is_binding) && self.ahead(1) != Some(Tok::FatArrow) {
            self.want_token(start + 1, Tok::FatArrow);
            None
        } else {
            self.binding().map(|name| vec![name]).ok()
        };
        let params = params.filter(|_| self.take(Tok::FatArrow));
        if params.is_none() {
            self.at = start;
        }
        params
    }

    /// Operators that bind at least as tightly as `least`.
    fn binary(&mut self, place: Place, least: u8) -> Made<Expr> {
        let mut left = self.unary(place)?;
        while let Some(token) = self.tokens.get(self.at).copied()
            && let Some((op, power)) = operator(token.kind)
        {
            if power.left() < least {
                break;
            }
            if power.left() == least && matches!(power, Power::NoChain(_)) {
                return Err(Stuck);
            }
            self.at += 1;
            let right = self.binary(place, power.right())?;
            left = self.join(left, op, token.span(self.file), right);
        }
        Ok(left)
    }

    fn join(&mut self, left: Expr, op: BinaryOp, op_span: Span, right: Expr) -> Expr {
        if op == BinaryOp::In
            && let ExprKind::Unary { op: UnaryOp::Not, op_span: bang, operand } = left.kind
        {
            let whole = bang.to(right.span);
            self.note_negated_in(bang, operand.span, right.span);
            // The tree is what was meant, so that nothing else is found wrong with it.
            let test = self.join(*operand, op, op_span, right);
            return Expr {
                kind: ExprKind::Unary { op: UnaryOp::Not, op_span: bang, operand: Box::new(test) },
                span: whole,
            };
        }
        let span = left.span.to(right.span);
        Expr { kind: ExprKind::Binary { op, op_span, left: Box::new(left), right: Box::new(right) }, span }
    }

    /// `!x in xs`
    fn note_negated_in(&mut self, bang: Span, left: Span, right: Span) {
        let show = |span: Span| self.text.get(span.range()).unwrap_or("…");
        let mut fixed = format!("!({} in {})", show(left), show(right));
        if fixed.contains('\n') {
            fixed = "!(… in …)".to_owned();
        }
        let edits =
            vec![Edit { span: bang.after(), text: "(".to_owned() }, Edit { span: right.after(), text: ")".to_owned() }];
        let message = "`!` here binds to the left side of `in` only";
        let mut diagnostic = Diagnostic::error(code::SYNTAX, bang.to(right), message).help(format!("write `{fixed}`"));
        let title = "put the whole test in parentheses".to_owned();
        diagnostic.fixes.push(Fix { title, applicability: Applicability::Safe, edits });
        self.notes.push(diagnostic);
    }

    fn unary(&mut self, place: Place) -> Made<Expr> {
        self.labelled(Label::Expression, |g| {
            let start = g.at;
            let op = if g.take(Tok::Minus) {
                if g.takes_lowest() {
                    return Ok(g.made(start, ExprKind::Int(i64::MIN)));
                }
                UnaryOp::Neg
            } else if g.take(Tok::Bang) {
                UnaryOp::Not
            } else {
                return g.postfix(place);
            };
            let op_span = g.span_from(start);
            let operand = Box::new(g.unary(place)?);
            Ok(g.made(start, ExprKind::Unary { op, op_span, operand }))
        })
    }

    fn postfix(&mut self, place: Place) -> Made<Expr> {
        let start = self.at;
        let mut expr = self.primary(place)?;
        loop {
            let optional = if self.take(Tok::Dot) {
                false
            } else if self.take(Tok::QuestionDot) {
                true
            } else if self.take(Tok::LBracket) {
                let index = Box::new(self.expr()?);
                self.expect(Tok::RBracket)?;
                expr = self.made(start, ExprKind::Index { base: Box::new(expr), index });
                continue;
            } else {
                return Ok(expr);
            };
            let (base, name) = (expr, self.member()?);
            let kind = match self.args()? {
                Some(args) => ExprKind::Method(Box::new(Method { base, name, args, optional })),
                None => ExprKind::Field(Box::new(Member { base, name, optional })),
            };
            expr = self.made(start, kind);
        }
    }

    /// `(a, b)`, if it is there.
    fn args(&mut self) -> Made<Option<Vec<Expr>>> {
        if !self.take(Tok::LParen) {
            return Ok(None);
        }
        self.elements(Separator::Comma, Tok::RParen, Self::expr).map(Some)
    }

    fn primary(&mut self, place: Place) -> Made<Expr> {
        let start = self.at;
        let Some(token) = self.tokens.get(start).copied() else { return Err(Stuck) };
        let kind = match token.kind {
            Tok::StrOpen => ExprKind::Str(self.long_string()?),
            Tok::LParen => ExprKind::Paren(Box::new(self.between(Tok::LParen, Tok::RParen, Self::expr)?)),
            Tok::LBracket => ExprKind::List(self.list()?),
            Tok::LBrace => ExprKind::Block(self.block()?),
            Tok::Match if place == Place::Anywhere => self.matching()?,
            Tok::Upper => {
                let ty = self.upper()?;
                self.expect(Tok::Dot)?;
                let name = self.name()?;
                self.named(Some(ty), name, place)?
            }
            kind if is_name(kind) => {
                let name = self.name()?;
                self.named(None, name, place)?
            }
            kind if is_literal(kind) => {
                self.at += 1;
                self.literal_of(token)
            }
            _other => return Err(Stuck),
        };
        Ok(self.made(start, kind))
    }

    /// What may follow a name: arguments or a payload.
    fn named(&mut self, ty: Option<Name>, name: Name, place: Place) -> Made<ExprKind> {
        if let Some(args) = self.args()? {
            return Ok(ExprKind::Call(Box::new(Call { ty, name, args })));
        }
        if place == Place::Anywhere {
            if self.peek() == Some(Tok::LBrace) {
                let fields = self.block()?;
                return Ok(ExprKind::Construct(Box::new(Construct { ty, name, fields })));
            }
            self.want_token(self.at, Tok::LBrace);
        }
        Ok(match ty {
            Some(ty) => ExprKind::Qualified(Box::new(Qualified { ty, name })),
            None => ExprKind::Name(name),
        })
    }
}

/// How tightly an operator binds, and which way operators of one power group.
#[derive(Clone, Copy)]
enum Power {
    Left(u8),
    Right(u8),
    NoChain(u8),
}

impl Power {
    /// How tightly it holds what stands left of it.
    fn left(self) -> u8 {
        match self {
            Power::Left(power) | Power::NoChain(power) => 2 * power,
            Power::Right(power) => 2 * power + 1,
        }
    }

    /// How tightly what stands right of it must hold together.
    fn right(self) -> u8 {
        match self {
            Power::Left(power) => 2 * power + 1,
            Power::Right(power) | Power::NoChain(power) => 2 * power,
        }
    }
}

fn operator(token: Tok) -> Option<(BinaryOp, Power)> {
    use Power::{Left, NoChain, Right};
    Some(match token {
        Tok::Star => (BinaryOp::Mul, Left(8)),
        Tok::Slash => (BinaryOp::Div, Left(8)),
        Tok::Plus => (BinaryOp::Add, Left(7)),
        Tok::Minus => (BinaryOp::Sub, Left(7)),
        Tok::DotDot => (BinaryOp::Range, NoChain(6)),
        Tok::DotDotEq => (BinaryOp::RangeInclusive, NoChain(6)),
        Tok::Coalesce => (BinaryOp::Coalesce, Right(5)),
        Tok::EqEq => (BinaryOp::Eq, NoChain(4)),
        Tok::NotEq => (BinaryOp::Ne, NoChain(4)),
        Tok::Lt => (BinaryOp::Lt, NoChain(4)),
        Tok::Le => (BinaryOp::Le, NoChain(4)),
        Tok::Gt => (BinaryOp::Gt, NoChain(4)),
        Tok::Ge => (BinaryOp::Ge, NoChain(4)),
        Tok::In => (BinaryOp::In, NoChain(4)),
        Tok::AndAnd => (BinaryOp::And, Left(3)),
        Tok::OrOr => (BinaryOp::Or, Left(2)),
        _other => return None,
    })
}
