; Colours. Names are those of Neovim and Helix.

(comment) @comment
[(doc_comment) (module_doc)] @comment.documentation

["import" "as" "pub"] @keyword.import
["param" "let" "type" "component" "output" "assert" "provider" "environment" "test" "where" "with"] @keyword
"fn" @keyword.function
["resource" "durable" "pointer" "external" "use"] @keyword.type
["if" "then" "else" "match"] @keyword.conditional
["for"] @keyword.repeat
["given" "apply" "rollback" "recover" "fault" "sample" "expect"] @keyword
"in" @keyword.operator

(identifier) @variable
(type_identifier) @type
(type_name) @type
(field_name) @property
(shorthand) @property
(boolean) @boolean
(none) @constant.builtin
(number) @number
(quantity) @number
(string) @string
(escape) @string.escape
(hole ["${" "}"] @punctuation.special)
(hole (_) @none)

((identifier) @variable.builtin (#any-of? @variable.builtin "it" "self"))
((named_type . (type_identifier) @type.builtin)
  (#any-of? @type.builtin "Bool" "Int" "Float" "String" "Duration" "Bytes" "Ratio" "Cpu" "Range" "Map" "Secret" "Node" "Target" "Content"))

(param name: (identifier) @variable.parameter)
(function name: (identifier) @function)
(function_parameter name: (identifier) @variable.parameter)
(parameters (identifier) @variable.parameter)
(lambda parameters: (identifier) @variable.parameter)
(component name: (identifier) @type.definition)
(type_declaration name: (type_identifier) @type.definition)
(node kind: (kind (identifier) @type))
(import path: (module_path (identifier) @module))
(import alias: (identifier) @module)
(variant name: (identifier) @constant)
(variant_pattern name: (identifier) @constant)
(qualified variant: (identifier) @constant)
(construct name: (identifier) @constructor)
(call function: (identifier) @function.call)
((call function: (identifier) @function.builtin)
  (#any-of? @function.builtin "file" "tree" "template" "executable" "some"))
(method_call name: (field_name) @function.method.call)

["=" "=>" "->" "~" "?" "|" "+" "-" "*" "/" "==" "!=" "<" "<=" ">" ">=" "&&" "||" "!" "??" ".." "..="] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" "." "?."] @punctuation.delimiter
