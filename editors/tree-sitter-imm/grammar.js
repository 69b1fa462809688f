// The grammar of imm for editors. The compiler has its own parser (compiler/syntax); this one is wider in places, so
// that half-typed programs keep their colours. New lines that separate come from src/scanner.c.

const KEYWORDS = [
  'true', 'false', 'none', 'if', 'then', 'else', 'for', 'in', 'match', 'where', 'with', 'as', 'pub', 'import', 'param',
  'let', 'type', 'fn', 'component', 'resource', 'durable', 'pointer', 'external', 'use', 'provider', 'environment',
  'output', 'assert', 'test',
];

const PREC = { lambda: 0, conditional: 1, or: 2, and: 3, compare: 4, coalesce: 5, range: 6, sum: 7, product: 8, unary: 9, postfix: 10 };

module.exports = grammar({
  name: 'imm',

  externals: $ => [$._newline],

  extras: $ => [/[ \t\r\n\uFEFF]/, $.comment, $.doc_comment, $.module_doc],

  word: $ => $.identifier,

  conflicts: $ => [
    [$._primary, $.parameters],
    [$._primary, $.construct],
  ],

  supertypes: $ => [$._expression, $._type, $._item],

  rules: {
    source_file: $ => seq(
      repeat($._newline),
      optional(seq($._item, repeat(seq(repeat1($._newline), $._item)), repeat($._newline))),
    ),

    _item: $ => choice(
      $.import, $.param, $.let, $.type_declaration, $.function, $.component, $.node, $.output, $.assert,
      $.provider, $.environment, $.test,
    ),

    import: $ => seq('import', field('path', choice($.string, $.module_path)), optional(seq('as', field('alias', $.identifier)))),
    module_path: $ => seq($.identifier, repeat(seq('.', $.identifier))),

    param: $ => seq(
      'param', field('name', $.identifier), ':', field('type', $._type),
      optional(seq('=', field('default', $._expression))),
      optional(seq('where', field('condition', $._expression))),
    ),

    let: $ => seq(
      optional('pub'), 'let', field('name', $.identifier), optional(seq(':', field('type', $._type))),
      '=', field('value', $._expression),
    ),

    type_declaration: $ => seq(
      optional('pub'), 'type', field('name', $.type_identifier), '=',
      choice($.variants, seq(field('type', $._type), optional(seq('where', field('condition', $._expression))))),
    ),
    variants: $ => choice(
      seq('|', $.variant, repeat(seq('|', $.variant))),
      seq($.variant, repeat1(seq('|', $.variant))),
      alias($._variant_with_payload, $.variant),
    ),
    variant: $ => seq(field('name', $.identifier), optional($.record_type)),
    _variant_with_payload: $ => seq(field('name', $.identifier), $.record_type),

    function: $ => seq(
      optional('pub'), 'fn', field('name', $.identifier), '(', optional(commas($.function_parameter)), ')', '->',
      field('result', $._type), '=', field('body', $._expression),
    ),
    function_parameter: $ => seq(field('name', $.identifier), ':', field('type', $._type)),

    component: $ => seq(
      optional('pub'), 'component', field('name', $.identifier), '{', repeat($._newline),
      optional(seq($._item, repeat(seq(repeat1($._newline), $._item)), repeat($._newline))), '}',
    ),

    node: $ => seq(
      field('class', choice('resource', 'durable', 'pointer', 'external', 'use')), field('name', $.identifier),
      optional(choice($.for_head, seq('if', field('condition', $._expression)))),
      '=', field('kind', $.kind), field('fields', $.block), optional(seq('with', field('with', $.block))),
    ),
    kind: $ => seq($.identifier, repeat(seq('.', $.identifier))),

    output: $ => seq(
      'output', field('name', $.identifier), optional(seq(':', field('type', $._type))), '=', field('value', $._expression),
    ),
    assert: $ => seq('assert', field('condition', $._expression), 'else', field('message', $.string)),
    provider: $ => seq('provider', field('name', $.identifier), '=', field('kind', $.identifier), $.block),
    environment: $ => seq('environment', field('name', $.identifier), $.block),

    test: $ => seq(
      'test', field('name', $.string), '{', repeat($._newline),
      optional(seq($.step, repeat(seq(repeat1($._newline), $.step)), repeat($._newline))), '}',
    ),
    step: $ => choice(
      'apply', 'rollback', 'recover',
      seq('given', $.block),
      seq(choice('fault', 'sample'), $.identifier, $.block),
      seq('expect', $._expression),
    ),

    // Types

    _type: $ => choice($.late_type, $._plain_type),
    late_type: $ => seq('~', $._type),
    _plain_type: $ => choice($.optional_type, $.named_type, $.list_type, $.record_type, $.parenthesized_type),
    optional_type: $ => seq($._plain_type, '?'),
    named_type: $ => prec.right(seq(
      choice($.type_identifier, $.identifier), repeat(seq('.', choice($.type_identifier, $.identifier))),
      optional(seq('[', $._type, ']')),
    )),
    list_type: $ => seq('[', $._type, ']'),
    record_type: $ => seq('{', repeat($._newline), optional(separated($, $.type_field)), '}'),
    type_field: $ => seq(field('name', $._key), ':', field('type', $._type)),
    parenthesized_type: $ => seq('(', $._type, ')'),

    // Blocks

    block: $ => seq(
      '{', repeat($._newline),
      optional(choice(
        separated($, $._entry),
        seq($.for_head, ':', field('key', $.computed_key), '=', field('value', $._expression), repeat($._newline)),
      )),
      '}',
    ),
    _entry: $ => choice($.entry, $.shorthand, $.spread),
    entry: $ => seq(field('key', $._key), '=', field('value', $._expression)),
    shorthand: $ => $.identifier,
    spread: $ => seq('..', $._expression),
    _key: $ => choice(alias($.identifier, $.field_name), alias($.type_identifier, $.field_name), alias(choice(...KEYWORDS), $.field_name), $.string, $.computed_key),
    computed_key: $ => seq('[', $._expression, ']'),

    for_head: $ => prec.right(seq(
      'for', field('name', $.identifier), optional(seq(',', field('name', $.identifier))), 'in',
      field('source', $._expression), optional(seq('if', field('filter', $._expression))),
    )),

    // Expressions

    _expression: $ => choice($.lambda, $.conditional, $.binary, $.unary, $._primary),

    lambda: $ => prec.right(PREC.lambda, seq(
      field('parameters', choice($.identifier, $.parameters)), '=>', field('body', $._expression),
    )),
    parameters: $ => seq('(', optional(commas($.identifier)), ')'),

    conditional: $ => prec.right(PREC.conditional, seq(
      'if', field('condition', $._expression), 'then', field('then', $._expression), 'else', field('else', $._expression),
    )),

    binary: $ => choice(
      ...[['||', PREC.or], ['&&', PREC.and], ['==', PREC.compare], ['!=', PREC.compare], ['<', PREC.compare],
        ['<=', PREC.compare], ['>', PREC.compare], ['>=', PREC.compare], ['in', PREC.compare], ['..', PREC.range],
        ['..=', PREC.range], ['+', PREC.sum], ['-', PREC.sum], ['*', PREC.product], ['/', PREC.product],
      ].map(([sign, level]) => prec.left(level, seq(field('left', $._expression), field('operator', sign), field('right', $._expression)))),
      prec.right(PREC.coalesce, seq(field('left', $._expression), field('operator', '??'), field('right', $._expression))),
    ),
    unary: $ => prec(PREC.unary, seq(field('operator', choice('-', '!')), $._expression)),

    _primary: $ => choice(
      $.number, $.quantity, $.string, $.boolean, $.none, $.identifier, $.qualified, $.construct, $.call, $.field_access,
      $.method_call, $.index, $.list, $.block, $.match, $.parenthesized,
    ),
    parenthesized: $ => seq('(', $._expression, ')'),
    qualified: $ => prec(PREC.postfix, seq(field('type', $.type_identifier), '.', field('variant', $.identifier))),
    construct: $ => prec.dynamic(1, seq(field('name', choice($.identifier, $.qualified)), field('fields', $.block))),
    call: $ => prec(PREC.postfix, seq(field('function', $.identifier), $.arguments)),
    arguments: $ => seq('(', optional(commas($._expression)), ')'),
    field_access: $ => prec.left(PREC.postfix, seq(
      field('base', $._expression), choice('.', '?.'), field('name', $._member),
    )),
    method_call: $ => prec.left(PREC.postfix, seq(
      field('base', $._expression), choice('.', '?.'), field('name', $._member), $.arguments,
    )),
    _member: $ => choice(alias($.identifier, $.field_name), alias($.type_identifier, $.type_name), alias(choice(...KEYWORDS), $.field_name)),
    index: $ => prec.left(PREC.postfix, seq(field('base', $._expression), '[', field('index', $._expression), ']')),

    list: $ => seq('[', optional(choice(
      commas(choice($._expression, $.spread)),
      seq($.for_head, ':', field('value', $._expression)),
    )), ']'),

    match: $ => seq('match', field('value', $._expression), '{', repeat($._newline), optional(separated($, $.arm)), '}'),
    arm: $ => seq($._pattern, repeat(seq('|', $._pattern)), '=>', field('value', $._expression)),
    _pattern: $ => choice(
      $.wildcard, $.none, $.number, $.quantity, $.string, $.boolean, $.negative, $.some_pattern, $.variant_pattern,
    ),
    wildcard: _ => '_',
    negative: $ => seq('-', choice($.number, $.quantity)),
    some_pattern: $ => seq('some', '(', choice($.identifier, $.wildcard), ')'),
    variant_pattern: $ => seq(
      optional(seq($.type_identifier, '.')), field('name', $.identifier),
      optional(seq('{', repeat($._newline), optional(choice(seq(separated($, $.identifier), optional($._rest)), $._rest)), '}')),
    ),

    // What is not named; a comma before it may be left out.
    _rest: $ => seq('..', repeat(choice(',', $._newline))),

    // Words

    identifier: _ => /[a-z_][A-Za-z0-9_]*/,
    type_identifier: _ => /[A-Z][A-Za-z0-9_]*/,
    boolean: _ => choice('true', 'false'),
    none: _ => 'none',
    number: _ => token(/[0-9][0-9_]*(\.[0-9][0-9_]*)?/),
    quantity: _ => token(prec(1, /[0-9][0-9_]*(\.[0-9][0-9_]*)?(ms|s|m|h|d|B|KiB|MiB|GiB|TiB|KB|MB|GB|TB|cpu|%)/)),

    string: $ => choice(
      seq('"""', repeat(choice(alias($._long_text, $.text), $.escape, $.hole)), token.immediate(prec(2, '"""'))),
      seq('"', repeat(choice(alias($._text, $.text), $.escape, $.hole)), token.immediate('"')),
      $.raw_string,
    ),
    raw_string: _ => token(/r"[^"\n]*"/),
    _text: _ => token.immediate(prec(1, /[^"\\$\n]+|\$/)),
    _long_text: _ => token.immediate(prec(1, /[^"\\$]+|\$|""?/)),
    escape: _ => token.immediate(prec(1, /\\(u\{[0-9a-fA-F]*\}|.)/)),
    hole: $ => seq(token.immediate(prec(3, '${')), $._expression, '}'),

    comment: _ => token(/\/\/([^\/!\n][^\n]*)?/),
    doc_comment: _ => token(/\/\/\/[^\n]*/),
    module_doc: _ => token(/\/\/![^\n]*/),
  },
});

function commas(rule) {
  return seq(rule, repeat(seq(',', rule)), optional(','));
}

/// Entries between commas or new lines.
function separated($, rule) {
  const sep = repeat1(choice(',', $._newline));
  return seq(rule, repeat(seq(sep, rule)), optional(sep));
}
