//! Another name for a thing, everywhere it is named. Refuses what would change the meaning of the program: the renamed
//! program is checked, and every name in it must mean what it meant.

use super::references::{self, Found};
use super::{Analysis, Place};
use crate::check::facts::Symbol;
use imm_ir::{Diagnostic, Edit, Span, kinds};
use imm_syntax::Tok;

/// What a rename would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The edits, over all files of the program.
    pub edits: Vec<Edit>,
}

/// The word that would be renamed.
///
/// # Errors
/// Why nothing here can be renamed.
pub fn prepare_rename(analysis: &Analysis, at: Place) -> Result<Span, String> {
    let found = references::find(analysis, at).ok_or("there is no name here")?;
    renamable(analysis, &found)?;
    let here = found.references.iter().find(|r| super::touches(r.span, at));
    here.map(|r| r.span).ok_or_else(|| "there is no name here".to_owned())
}

/// Renames what the word at a place names.
///
/// # Errors
/// Why it cannot have that name, as a sentence.
pub fn rename(analysis: &Analysis, at: Place, name: &str) -> Result<Renamed, String> {
    let found = references::find(analysis, at).ok_or("there is no name here")?;
    renamable(analysis, &found)?;
    fits(&found, name)?;
    let edits = edits(analysis, &found, name);
    if edits.iter().all(|edit| analysis.sources().text(edit.span) == edit.text) {
        return Ok(Renamed { edits: Vec::new() });
    }
    keeps_meaning(analysis, &found, &edits, name)?;
    Ok(Renamed { edits })
}

fn renamable(analysis: &Analysis, found: &Found) -> Result<(), String> {
    let built_in = || format!("`{}` is built in", found.declared.name);
    match &found.symbol {
        Symbol::Field(name, _) => {
            return Err(format!("`{name}` is a field: any record with such a field would change"));
        }
        Symbol::Import(index) if alias_spans(analysis, found, *index).is_empty() => {
            return Err("give the import a name first: `import … as NAME`".to_owned());
        }
        _other => {}
    }
    let declared = found.declared.name_span.ok_or_else(built_in)?;
    let own = |file: &imm_ir::SourceFile| !crate::stdlib::is_file(&file.name);
    if analysis.sources().get(declared.file).is_some_and(own) || matches!(found.symbol, Symbol::Import(_)) {
        Ok(())
    } else {
        Err(format!("`{}` is of the standard library", found.declared.name))
    }
}

/// The words that name an import by an alias that was written.
fn alias_spans(analysis: &Analysis, found: &Found, _index: usize) -> Vec<Span> {
    let aliases: Vec<Span> = analysis
        .items()
        .filter_map(|(_, item)| match &item.kind {
            imm_syntax::ast::ItemKind::Import(import) => import.alias.as_ref().map(|alias| analysis.whole(alias.span)),
            _other => None,
        })
        .collect();
    found.references.iter().map(|r| r.span).filter(|span| aliases.contains(span)).collect()
}

/// Whether a word can be the name of such a thing at all.
fn fits(found: &Found, name: &str) -> Result<(), String> {
    let lexed = imm_syntax::lex(imm_ir::FileId(0), name);
    let word = match lexed.tokens.as_slice() {
        [only] if lexed.diagnostics.is_empty() && only.end as usize == name.len() => only.kind,
        _other => return Err(format!("`{name}` is not a name")),
    };
    let upper = matches!(found.symbol, Symbol::Type(_));
    match (upper, word) {
        (true, Tok::Upper) => Ok(()),
        (true, _) => Err(format!("types begin with a capital letter; `{name}` does not")),
        (false, Tok::Upper) => Err(format!("only types begin with a capital letter; write `{}`", name.to_lowercase())),
        (false, Tok::Ident) if matches!(found.symbol, Symbol::Component(_)) && kinds::builtin().get(name).is_some() => {
            Err(format!("`{name}` is a kind"))
        }
        (false, Tok::Ident) => Ok(()),
        (false, word) if word.is_keyword() => Err(format!("`{name}` is a word of the language")),
        (false, Tok::Underscore) => Err("`_` is no name".to_owned()),
        (false, _contextual) => Ok(()),
    }
}

fn edits(analysis: &Analysis, found: &Found, name: &str) -> Vec<Edit> {
    let old = found.declared.name.as_ref();
    let text = |span: Span| match found.shorts.iter().find(|(short, _)| *short == span) {
        // `{ old }` is `{ old = old }`: one of the two changes.
        Some((_, true)) => format!("{name} = {}", analysis.sources().text(span)),
        Some((_, false)) => format!("{} = {name}", analysis.sources().text(span)),
        None => name.to_owned(),
    };
    let is_import = matches!(found.symbol, Symbol::Import(_));
    let whole_path = |span: Span| is_import && analysis.sources().text(span).contains(['"', '.']);
    let spans = found.references.iter().map(|r| r.span).filter(|span| !whole_path(*span));
    let spans = spans.filter(|span| is_import || old.is_empty() || analysis.sources().text(*span) == old);
    spans.map(|span| Edit { span, text: text(span) }).collect()
}

/// Whether the renamed program has the same names in the same places and no new errors.
fn keeps_meaning(analysis: &Analysis, found: &Found, edits: &[Edit], name: &str) -> Result<(), String> {
    let after = analysis.edited(edits);
    let (before_errors, after_errors) = (errors(analysis), errors(&after));
    if after_errors.len() > before_errors.len() {
        let new =
            after_errors.iter().find(|d| !before_errors.iter().any(|b| b.code == d.code && b.message == d.message));
        let why = new.or(after_errors.first()).map_or_else(String::new, |d| d.message.clone());
        return Err(format!("`{name}` cannot be the name: {why}"));
    }
    let moved = |span: Span| {
        let before: Vec<&Edit> =
            edits.iter().filter(|e| e.span.file == span.file && e.span.start < span.start).collect();
        let grown: i64 = before
            .iter()
            .map(|e| i64::try_from(e.text.len()).unwrap_or(0) - i64::from(e.span.end - e.span.start))
            .sum();
        u32::try_from(i64::from(span.start) + grown).unwrap_or(0)
    };
    let file_after = |span: Span| {
        let name = &analysis.sources().get(span.file)?.name;
        after.file(name)
    };
    let Some(first) = edits.first() else { return Ok(()) };
    let Some(file) = file_after(first.span) else { return Ok(()) };
    // The new word may stand behind `old = `.
    let inside = first.text.rfind(name).filter(|_| first.text.ends_with(name)).unwrap_or(0);
    let offset = moved(first.span) + u32::try_from(inside).unwrap_or(0);
    let now = references::find(&after, Place { file, offset });
    let now = now.map(|found| found.references.len()).unwrap_or_default();
    if now == found.references.len() {
        Ok(())
    } else {
        Err(format!("`{name}` would mean something else in some places: there is another `{name}`"))
    }
}

fn errors(analysis: &Analysis) -> Vec<Diagnostic> {
    let loaded = &analysis.loaded;
    let (_, mut found) = crate::check::check(&loaded.modules, 0, &loaded.sources, kinds::builtin());
    found.extend(loaded.diagnostics.iter().cloned());
    found.retain(Diagnostic::is_error);
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

    fn renamed(text: &str, name: &str) -> Result<String, String> {
        let (analysis, place) = at(text);
        let edits = rename(&analysis, place, name)?.edits;
        let after = analysis.edited(&edits);
        Ok(after.text(place.file).to_owned())
    }

    #[test]
    fn all_that_name_it() {
        assert_eq!(renamed("let a = 1\nlet b = $0a + a\n", "count").unwrap(), "let count = 1\nlet b = count + count\n");
        let text = "param greeting: String = \"\"\nlet t = { $0greeting }\n";
        assert_eq!(renamed(text, "hi").unwrap(), "param hi: String = \"\"\nlet t = { greeting = hi }\n");
        let text = "component c {\n  param $0n: Int\n  output o = n\n}\nlet n = 1\nuse x = c { n }\n";
        let after = "component c {\n  param m: Int\n  output o = m\n}\nlet n = 1\nuse x = c { m = n }\n";
        assert_eq!(renamed(text, "m").unwrap(), after);
        assert_eq!(
            renamed("type $0T = a | b\nparam t: T = a\n", "Tier").unwrap(),
            "type Tier = a | b\nparam t: Tier = a\n"
        );
    }

    #[test]
    fn over_files_and_imports() {
        let text = "let a = b\n// --- other.imm\nlet $0b = 1\n";
        let (analysis, place) = at(text);
        let after = analysis.edited(&rename(&analysis, place, "c").unwrap().edits);
        assert_eq!(after.text(after.file("main.imm").unwrap()), "let a = c\n");
        assert_eq!(after.text(after.file("other.imm").unwrap()), "let c = 1\n");
        let text = "import \"./lib\" as l\nlet a = $0l.b\n// --- lib/main.imm\npub let b = 1\n";
        assert_eq!(renamed(text, "limits").unwrap(), "import \"./lib\" as limits\nlet a = limits.b\n");
    }

    #[test]
    fn conflicts_are_refused() {
        let refused = |text: &str, name: &str| renamed(text, name).unwrap_err();
        assert!(refused("let a = 1\nlet $0b = a\n", "a").contains("cannot be the name"));
        assert!(refused("let a = 1\nlet b = [1].map(x => $0a + x)\n", "x").contains("something else"));
        assert!(refused("let $0a = 1\n", "let").contains("word of the language"));
        assert!(refused("let $0a = 1\n", "A").contains("capital"));
        assert!(refused("let $0a = 1\n", "a b").contains("not a name"));
        assert!(refused("durable v = $0volume { size = 1GiB }\n", "w").contains("built in"));
        assert!(refused("import std.net\nlet a = $0net.is_ip(\"::\")\n", "w").contains("as NAME"));
    }
}
