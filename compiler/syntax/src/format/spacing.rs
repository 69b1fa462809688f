//! Which neighbouring tokens touch. Nothing here changes what a text means: tokens that would become another token
//! together never touch.

use crate::token::Tok;

/// What stands before a token in its entry.
#[derive(Clone, Copy, Default)]
pub(super) struct Before {
    /// The token before.
    pub(super) last: Option<Tok>,
    /// The one before that.
    pub(super) earlier: Option<Tok>,
    /// Whether the token before is a sign or a spread: it touches its operand.
    pub(super) prefix: bool,
}

impl Before {
    /// Goes on to the token after `next`, which a group shows as its closing bracket.
    pub(super) fn then(self, opens: Tok, closes: Tok) -> Self {
        let sign = matches!(opens, Tok::Minus | Tok::DotDot) && !self.ends_value();
        let prefix = sign || matches!(opens, Tok::Bang | Tok::Tilde);
        Before { last: Some(closes), earlier: self.last, prefix }
    }

    fn after_dot(self) -> bool {
        matches!(self.earlier, Some(Tok::Dot | Tok::QuestionDot))
    }

    /// Whether the token before can be the end of an operand.
    fn ends_value(self) -> bool {
        let Some(last) = self.last else { return false };
        let word = last.is_word() && (self.after_dot() || !last.is_keyword());
        let expects = last == Tok::Expect && self.earlier.is_none();
        let literal = matches!(
            last,
            Tok::Upper
                | Tok::Int
                | Tok::Float
                | Tok::Quantity
                | Tok::Str
                | Tok::RawStr
                | Tok::StrClose
                | Tok::True
                | Tok::False
                | Tok::None
                | Tok::Question
        );
        (word && !expects) || literal || last.is_closer()
    }

    /// Whether a space stands before `next`. `apart`: there is white space in the source.
    pub(super) fn space(self, next: Tok, apart: bool) -> bool {
        let Some(last) = self.last else { return false };
        if next == Tok::Question {
            // `??` is an operator.
            return last == Tok::Question;
        }
        if self.prefix || matches!(last, Tok::Dot | Tok::QuestionDot | Tok::DotDot | Tok::DotDotEq) {
            return false;
        }
        match next {
            // `4.x` is no number.
            Tok::Dot if last == Tok::Int => apart,
            Tok::Comma | Tok::Colon | Tok::Dot | Tok::QuestionDot => false,
            Tok::DotDot | Tok::DotDotEq => !self.ends_value(),
            Tok::LParen | Tok::LBracket if last.is_contextual() && last != Tok::Some && !self.after_dot() => apart,
            Tok::LParen => !(last == Tok::Upper || last.is_word() && self.ends_value()),
            Tok::LBracket => !self.ends_value(),
            _ => true,
        }
    }
}
