//! The marks `~` (known only after create) and `Secret` of a type, taken off and put back.

use imm_ir::{FieldType, RecordType, Type};
use std::sync::Arc;

/// Which marks a type has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taint {
    /// `~`
    pub late: bool,
    /// `Secret`
    pub secret: bool,
}

impl Taint {
    /// The marks of both.
    #[must_use]
    pub fn and(self, other: Taint) -> Taint {
        Taint { late: self.late || other.late, secret: self.secret || other.secret }
    }

    /// A type with these marks put on.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a type goes in and comes out marked; callers have no further use for it"
    )]
    pub fn on(self, ty: Type) -> Type {
        let (ty, own) = peel(&ty);
        let marks = self.and(own);
        let ty = if marks.secret { Type::secret(ty) } else { ty };
        if marks.late { Type::late(ty) } else { ty }
    }
}

/// A type without its outermost marks, and those marks.
pub fn peel(ty: &Type) -> (Type, Taint) {
    let mut taint = Taint::default();
    let plain = taint.absorb(ty);
    (plain.clone(), taint)
}

/// What an expected type says about a literal: without optionality, marks and refinements. The marks go to its parts.
pub fn core_of(ty: &Type) -> (&Type, Taint) {
    let mut taint = Taint::default();
    let mut ty = ty;
    loop {
        ty = match taint.absorb(ty) {
            Type::Option(inner) => inner,
            Type::Refined(refined) => &refined.base,
            plain => return (plain, taint),
        };
    }
}

impl Taint {
    /// Takes the outermost marks of a type; answers the type without them.
    fn absorb<'t>(&mut self, mut ty: &'t Type) -> &'t Type {
        loop {
            match ty {
                Type::Late(inner) => {
                    self.late = true;
                    ty = inner;
                }
                Type::Secret(inner) => {
                    self.secret = true;
                    ty = inner;
                }
                plain => return plain,
            }
        }
    }
}

/// A type without refinements at its surface.
pub fn unrefined(ty: &Type) -> &Type {
    let mut ty = ty;
    while let Type::Refined(refined) = ty {
        ty = &refined.base;
    }
    ty
}

/// The marks anywhere in a type's data. Payloads of variants do not count: their tag is known and public.
pub fn scan(ty: &Type) -> Taint {
    match ty {
        Type::Late(inner) => Taint { late: true, ..scan(inner) },
        Type::Secret(inner) => Taint { secret: true, ..scan(inner) },
        Type::List(inner) | Type::Map(inner) | Type::Option(inner) => scan(inner),
        Type::Record(record) => record.fields.iter().fold(Taint::default(), |all, f| all.and(scan(&f.ty))),
        Type::Refined(refined) => scan(&refined.base),
        Type::Variant(variant) => variant
            .variants
            .iter()
            .flat_map(|case| &case.payload.fields)
            .filter(|field| matches!(field.ty, Type::Late(_) | Type::Secret(_)))
            .fold(Taint::default(), |all, field| all.and(scan(&field.ty))),
        Type::Bool
        | Type::Int
        | Type::Float
        | Type::String
        | Type::Duration
        | Type::Bytes
        | Type::Ratio
        | Type::Cpu
        | Type::Range
        | Type::Handle(_)
        | Type::Component(_)
        | Type::Node
        | Type::Target
        | Type::Content
        | Type::Function(_)
        | Type::Never
        | Type::Error => Taint::default(),
    }
}

/// A type without `~` at any depth.
pub fn strip_late(ty: &Type) -> Type {
    if scan(ty).late { strip(ty, true, false) } else { ty.clone() }
}

/// A type without `~` and `Secret` at any depth.
pub fn strip_all(ty: &Type) -> Type {
    strip(ty, true, true)
}

fn strip(ty: &Type, late: bool, secret: bool) -> Type {
    let again = |inner: &Type| strip(inner, late, secret);
    match ty {
        Type::Late(inner) if late => again(inner),
        Type::Secret(inner) if secret => again(inner),
        Type::Late(inner) => Type::late(again(inner)),
        Type::Secret(inner) => Type::secret(again(inner)),
        Type::List(inner) => Type::list(again(inner)),
        Type::Map(inner) => Type::map(again(inner)),
        Type::Option(inner) => Type::option(again(inner)),
        Type::Record(record) => {
            let fields = record.fields.iter().map(|f| FieldType { ty: again(&f.ty), ..f.clone() }).collect();
            Type::Record(Arc::new(RecordType { fields }))
        }
        other => other.clone(),
    }
}
