//! Every diagnostic code, one constant each. A test compares the list with the explain pages.

use crate::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code($text);)*
        /// All codes, in the order of this file.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    /// A field that the record, kind or variant does not have.
    UNKNOWN_FIELD = "unknown-field";
    /// A required field is absent.
    MISSING_FIELD = "missing-field";
    /// A value of another type than the place demands.
    TYPE_MISMATCH = "type-mismatch";
    /// A name that nothing in scope has.
    UNKNOWN_NAME = "unknown-name";
    /// A kind or component that does not exist.
    UNKNOWN_KIND = "unknown-kind";
    /// A name that is both a variant and a binding.
    AMBIGUOUS_NAME = "ambiguous-name";
    /// Two declarations of one name.
    DUPLICATE_NAME = "duplicate-name";
    /// Two entries with one key.
    DUPLICATE_KEY = "duplicate-key";
    /// Two routes with one (listen, host, path).
    DUPLICATE_ROUTE = "duplicate-route";
    /// Modules that import each other.
    IMPORT_CYCLE = "import-cycle";
    /// A function that reaches itself.
    RECURSIVE_FUNCTION = "recursive-function";
    /// A `match` that does not cover every case.
    NOT_EXHAUSTIVE = "not-exhaustive";
    /// A param's value fails its `where` or its type.
    PARAM_REJECTED = "param-rejected";
    /// A param without default got no value.
    MISSING_PARAM = "missing-param";
    /// Which nodes exist would depend on a value known only after create.
    COUNT_NOT_KNOWN = "count-not-known";
    /// Nodes keyed by position instead of by name.
    POSITIONAL_KEY = "positional-key";
    /// The class keyword does not fit the kind.
    WRONG_CLASS = "wrong-class";
    /// A disposable that would hold state.
    STATE_IN_RESOURCE = "state-in-resource";
    /// A single-writer volume whose old and new holder would overlap.
    EXCLUSIVE_VOLUME = "exclusive-volume";
    /// A durable's identity changed.
    DURABLE_CHANGE = "durable-change";
    /// A fixed physical name on a disposable.
    FIXED_NAME = "fixed-name";
    /// Two exclusive claims on one thing.
    CANNOT_COEXIST = "cannot-coexist";
    /// A canary over targets that cannot overlap.
    CANARY_NEEDS_OVERLAP = "canary-needs-overlap";
    /// A durable whose identity depends on a disposable.
    DURABLE_ON_DISPOSABLE = "durable-on-disposable";
    /// A rollout inside a rollout.
    NESTED_ROLLOUT = "nested-rollout";
    /// A route's target without a health check.
    NO_HEALTH_CHECK = "no-health-check";
    /// A secret where a plain value is expected.
    SECRET_LEAK = "secret-leak";
    /// Declarations that need each other.
    DEPENDENCY_CYCLE = "dependency-cycle";
    /// A bracket that is never closed, or closed by the wrong one.
    UNCLOSED_BRACKET = "unclosed-bracket";
    /// An operator without its right-hand side.
    DANGLING_OPERATOR = "dangling-operator";
    /// A string that is never closed.
    UNTERMINATED_STRING = "unterminated-string";
    /// An escape that strings do not have.
    BAD_ESCAPE = "bad-escape";
    /// A number with a unit that does not exist, or without one.
    BAD_QUANTITY = "bad-quantity";
    /// An index, key or amount outside its range.
    OUT_OF_RANGE = "out-of-range";
    /// A number that does not fit.
    OVERFLOW = "overflow";
    /// Division by zero.
    DIVISION_BY_ZERO = "division-by-zero";
    /// Evaluation needs more than the budget.
    BUDGET_EXCEEDED = "budget-exceeded";
    /// An `assert` does not hold.
    ASSERT_FAILED = "assert-failed";
    /// An unknown or unused template variable.
    TEMPLATE_VARIABLE = "template-variable";
    /// A file that does not exist or cannot be read.
    FILE_NOT_FOUND = "file-not-found";
    /// Anything else the grammar does not allow.
    SYNTAX = "syntax";
    /// A binding that nothing uses.
    UNUSED_BINDING = "unused-binding";
    /// A binding with the name of a variant.
    SHADOWED_VARIANT = "shadowed-variant";
    /// Something that will go away.
    DEPRECATED = "deprecated";
}
