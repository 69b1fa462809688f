//! How large a type is, written out. Parts of types are shared, and whoever looks at a type looks at each of its parts: a
//! chain of bindings in which each holds the one before twice would keep the checker busy for ever.

use imm_ir::Type;

/// Most parts that the type of a value may have.
pub const MOST: usize = 4_000;

/// Whether a type has more parts than [`MOST`].
pub fn is_too_large(ty: &Type) -> bool {
    let mut left = MOST;
    !fits(ty, &mut left)
}

/// Whether a part of a type, among its first [`MOST`], is of something broken, which was reported.
pub fn is_broken(ty: &Type) -> bool {
    let mut left = MOST;
    has_error(ty, &mut left)
}

fn has_error(ty: &Type, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match ty {
        Type::Error => true,
        Type::List(inner) | Type::Map(inner) | Type::Option(inner) | Type::Late(inner) | Type::Secret(inner) => {
            has_error(inner, left)
        }
        Type::Record(record) => record.fields.iter().any(|field| has_error(&field.ty, left)),
        _other => false,
    }
}

fn fits(ty: &Type, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match ty {
        Type::List(inner) | Type::Map(inner) | Type::Option(inner) | Type::Late(inner) | Type::Secret(inner) => {
            fits(inner, left)
        }
        Type::Record(record) => record.fields.iter().all(|field| fits(&field.ty, left)),
        Type::Variant(variant) => {
            variant.variants.iter().flat_map(|case| &case.payload.fields).all(|field| fits(&field.ty, left))
        }
        Type::Refined(refined) => fits(&refined.base, left),
        Type::Function(function) => {
            function.params.iter().all(|param| fits(param, left)) && fits(&function.result, left)
        }
        _leaf => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_twice_counts_twice() {
        let twice = |ty: &Type| Type::record([("l", ty.clone()), ("r", ty.clone())]);
        let ten = (0..10).fold(Type::Int, |ty, _| twice(&ty));
        assert!(!is_too_large(&ten));
        assert!(is_too_large(&twice(&ten)));
        assert!(!is_broken(&twice(&ten)) && is_broken(&(0..40).fold(Type::Error, |ty, _| twice(&ty))));
        let deep = (0..10_000).fold(Type::Int, |ty, _| Type::list(ty));
        assert!(is_too_large(&deep));
    }
}
