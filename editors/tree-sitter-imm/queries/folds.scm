[(block) (record_type) (list) (match) (component) (test) (arguments)] @fold
[(doc_comment) (comment)]+ @fold
