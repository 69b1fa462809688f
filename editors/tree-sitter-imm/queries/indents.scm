[(block) (record_type) (list) (match) (component) (test) (arguments) (parenthesized)] @indent.begin
["}" "]" ")"] @indent.branch @indent.end
(string) @indent.ignore
