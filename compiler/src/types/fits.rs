//! Subtyping: `T <: T?`, `T <: ~T`, `T <: Secret[T]`, refined `<:` base, `String <: Content`, closed records, handles.

use super::taint::{strip_all, strip_late};
use super::{Taint, peel, unrefined};
use imm_ir::{FieldType, RecordType, Type};
use std::sync::Arc;

/// Why a type does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is another type.
    Other,
    /// It would fit, were it known before create.
    Late,
    /// It would fit, were it not secret.
    Secret,
    /// It would fit, were it never `none`.
    Absent,
}

/// Whether a value of type `from` may stand where `to` is expected; `true` when it has to be converted or checked.
///
/// # Errors
/// The first reason found why it may not.
pub fn fits(from: &Type, to: &Type) -> Result<bool, Misfit> {
    match (from, to) {
        (Type::Error | Type::Never, _) | (_, Type::Error) => Ok(false),
        (Type::Late(inner), Type::Option(_)) if matches!(**inner, Type::Option(_)) => Err(Misfit::Late),
        (Type::Option(s), Type::Option(t)) => fits(s, t),
        (_, Type::Option(t)) => fits(from, t),
        (Type::Late(s), Type::Late(t)) => fits(&strip_late(s), t),
        (_, Type::Late(t)) => fits(&strip_late(from), t),
        // That it is secret is the graver reason: knowing it earlier would not help.
        (Type::Late(inner), _) => match fits(inner, to) {
            Err(Misfit::Secret) => Err(Misfit::Secret),
            _later => Err(Misfit::Late),
        },
        (Type::Secret(s), Type::Secret(t)) => fits(s, t),
        (_, Type::Secret(t)) => fits(&strip_all(from), t).map(|_| true),
        (Type::Secret(_), _) => Err(Misfit::Secret),
        (Type::Option(inner), _) => fits(inner, to).and(Err(Misfit::Absent)),
        (Type::Refined(a), Type::Refined(b)) if Arc::ptr_eq(a, b) || a == b => Ok(false),
        (_, Type::Refined(b)) => fits(from, &b.base).map(|_| true),
        (Type::Refined(a), _) => fits(&a.base, to),
        (Type::List(a), Type::List(b)) | (Type::Map(a), Type::Map(b)) => fits(a, b),
        (Type::Record(a), Type::Record(b)) if Arc::ptr_eq(a, b) => Ok(false),
        (Type::Record(a), Type::Record(b)) => record_fits(a, b),
        (Type::Variant(a), Type::Variant(b)) => same(Arc::ptr_eq(a, b) || a == b),
        (Type::Handle(_) | Type::Component(_) | Type::Target, Type::Node) => Ok(false),
        (Type::Handle(kind), Type::Target) => same(is_target(kind)),
        (Type::Map(inner), Type::Target) => same(**inner == Type::handle("container")),
        (Type::String, Type::Content) => Ok(true),
        _ => same(from == to),
    }
}

fn same(yes: bool) -> Result<bool, Misfit> {
    if yes { Ok(false) } else { Err(Misfit::Other) }
}

fn is_target(kind: &str) -> bool {
    matches!(kind, "service" | "container" | "site" | "endpoint")
}

fn record_fits(from: &RecordType, to: &RecordType) -> Result<bool, Misfit> {
    if from.fields.iter().any(|f| to.field(&f.name).is_none()) {
        return Err(Misfit::Other);
    }
    let mut convert = false;
    for wanted in &to.fields {
        match from.field(&wanted.name) {
            Some(field) => convert |= fits(&field.ty, &wanted.ty)?,
            None if wanted.default.is_some() || may_be_absent(&wanted.ty) => convert = true,
            None => return Err(Misfit::Other),
        }
    }
    Ok(convert)
}

fn may_be_absent(ty: &Type) -> bool {
    matches!(peel(ty).0, Type::Option(_))
}

/// The smallest type that both fit.
pub fn join(a: &Type, b: &Type) -> Option<Type> {
    // What fits only after a check or conversion must not be claimed for values that did not go through it.
    if fits(a, b) == Ok(false) {
        return Some(b.clone());
    }
    if fits(b, a) == Ok(false) {
        return Some(a.clone());
    }
    let (inner_a, taint_a) = peel(a);
    let (inner_b, taint_b) = peel(b);
    let taint = taint_a.and(taint_b);
    if taint != Taint::default() {
        return join(&inner_a, &inner_b).map(|ty| taint.on(ty));
    }
    match (unrefined(a), unrefined(b)) {
        (Type::Option(x), Type::Option(y)) => join(x, y).map(Type::option),
        (Type::Option(x), y) | (y, Type::Option(x)) => join(x, y).map(Type::option),
        (Type::List(x), Type::List(y)) => join(x, y).map(Type::list),
        (Type::Map(x), Type::Map(y)) => join(x, y).map(Type::map),
        (Type::Record(x), Type::Record(y)) if x.fields.len() == y.fields.len() => {
            let both = |f: &FieldType| Some(FieldType { ty: join(&f.ty, &y.field(&f.name)?.ty)?, ..f.clone() });
            let fields = x.fields.iter().map(both).collect::<Option<Vec<_>>>()?;
            Some(Type::Record(Arc::new(RecordType { fields })))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_between_a_late_list_and_a_list_of_late_values() {
        let of_late = Type::list(Type::late(Type::String));
        let late = Type::late(Type::list(Type::String));
        assert_eq!(fits(&of_late, &late), Ok(false));
        assert_eq!(fits(&late, &of_late), Err(Misfit::Late));
        assert_eq!(fits(&of_late, &Type::list(Type::String)), Err(Misfit::Late));
    }

    #[test]
    fn optionals_secrets_and_refinements_go_one_way() {
        let port = imm_ir::kinds::types()["Port"].clone();
        assert_eq!(fits(&port, &Type::Int), Ok(false));
        assert_eq!(fits(&Type::Int, &port), Ok(true));
        assert_eq!(fits(&Type::Int, &Type::option(Type::Int)), Ok(false));
        assert_eq!(fits(&Type::option(Type::Int), &Type::Int), Err(Misfit::Absent));
        assert_eq!(fits(&Type::String, &Type::secret(Type::String)), Ok(true));
        assert_eq!(fits(&Type::secret(Type::String), &Type::String), Err(Misfit::Secret));
        let late_secret = Type::late(Type::secret(Type::String));
        assert_eq!(fits(&late_secret, &Type::String), Err(Misfit::Secret));
        assert_eq!(fits(&Type::option(Type::late(Type::Int)), &Type::late(Type::option(Type::Int))), Ok(false));
        assert_eq!(fits(&Type::late(Type::option(Type::Int)), &Type::option(Type::late(Type::Int))), Err(Misfit::Late));
    }

    #[test]
    fn joining_keeps_marks_and_drops_refinements() {
        let port = imm_ir::kinds::types()["Port"].clone();
        assert_eq!(join(&port, &Type::Int), Some(Type::Int));
        let (late, secret) = (Type::late(Type::String), Type::secret(Type::String));
        assert_eq!(join(&late, &secret), Some(Type::late(Type::secret(Type::String))));
        assert_eq!(join(&Type::Int, &Type::String), None);
        assert_eq!(join(&Type::option(Type::Never), &Type::Int), Some(Type::option(Type::Int)));
    }
}
