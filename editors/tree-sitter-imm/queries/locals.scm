(function) @local.scope
(lambda) @local.scope
(component) @local.scope
(arm) @local.scope
(function_parameter name: (identifier) @local.definition)
(parameters (identifier) @local.definition)
(lambda parameters: (identifier) @local.definition)
(for_head name: (identifier) @local.definition)
(identifier) @local.reference
