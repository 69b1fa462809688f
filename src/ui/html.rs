//! Documentation as static pages: one file a page, a style beside them, no scripts and nothing from elsewhere.

use imm_compiler::doc::{Entry, Page};
use imm_syntax::Tok;
use pulldown_cmark::{Event, Options, Parser, html};
use std::fmt::Write as _;

/// The style of all pages.
pub const STYLE: &str = include_str!("html/style.css");

/// A page with the name of its file.
pub struct Site {
    /// File names and pages, in the order of the list beside each page.
    pages: Vec<(String, Page)>,
    /// Pages from this one on are about what is built in.
    built_in: usize,
}

impl Site {
    /// A site of a program's own page, and of what is built in.
    pub fn new(own: Vec<Page>, built_in: Vec<Page>) -> Self {
        let split = own.len();
        let mut pages = Vec::new();
        for (index, page) in own.into_iter().chain(built_in).enumerate() {
            let file = if index == 0 { "index.html".to_owned() } else { format!("{}.html", slug(&page.title)) };
            pages.push((file, page));
        }
        Self { pages, built_in: split }
    }

    /// File names and texts.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> =
            self.pages.iter().map(|(file, page)| (file.clone(), self.page(file, page))).collect();
        files.push(("style.css".to_owned(), STYLE.to_owned()));
        files
    }

    fn page(&self, file: &str, page: &Page) -> String {
        let title = escaped(&page.title);
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title} · imm</title>\n<link rel=\"stylesheet\" \
             href=\"style.css\">\n</head>\n<body>\n<a class=\"skip\" href=\"#-text\">To the text</a>\n{}<main id=\"-text\">\n<h1>{title}</h1>\n{}",
            self.list(file),
            markdown(&page.docs)
        );
        for section in &page.sections {
            let _ = writeln!(out, "<h2 id=\"{}\">{}</h2>", slug(section.title), escaped(section.title));
            section.entries.iter().for_each(|entry| self.entry(&mut out, entry, &slug(section.title), 3));
        }
        out.push_str("</main>\n</body>\n</html>\n");
        out
    }

    /// The list of pages, with what is on this one.
    fn list(&self, current: &str) -> String {
        let mut out = "<nav>\n".to_owned();
        for (index, (file, page)) in self.pages.iter().enumerate() {
            if index == self.built_in {
                out.push_str("<p>Built in</p>\n");
            }
            if file != current {
                let _ = writeln!(out, "<a href=\"{file}\">{}</a>", escaped(&page.title));
                continue;
            }
            let _ = writeln!(out, "<a class=\"here\" href=\"{file}\">{}</a>", escaped(&page.title));
            for section in &page.sections {
                let id = slug(section.title);
                let _ = writeln!(out, "<a class=\"in\" href=\"#{id}\">{}</a>", escaped(section.title));
            }
        }
        out.push_str("</nav>\n");
        out
    }

    fn entry(&self, out: &mut String, entry: &Entry, section: &str, level: usize) {
        let id = format!("{section}.{}", slug(&entry.name));
        let _ =
            writeln!(out, "<section>\n<h{level} id=\"{id}\"><a href=\"#{id}\">{}</a></h{level}>", escaped(&entry.name));
        let _ = writeln!(out, "<pre><code>{}</code></pre>\n{}", self.painted(&entry.signature), markdown(&entry.docs));
        entry.parts.iter().for_each(|part| self.entry(out, part, &id, (level + 1).min(6)));
        out.push_str("</section>\n");
    }

    /// A signature with colours by its words; names of pages lead to them.
    fn painted(&self, text: &str) -> String {
        let lexed = imm_syntax::lex(imm_ir::FileId(0), text);
        let mut tokens: Vec<_> = lexed.tokens.iter().chain(&lexed.comments).collect();
        tokens.sort_by_key(|token| token.start);
        let mut out = String::new();
        let mut at = 0;
        for token in tokens {
            let (start, end) = (token.start as usize, token.end as usize);
            out.push_str(&escaped(text.get(at..start).unwrap_or_default()));
            let word = text.get(start..end).unwrap_or_default();
            let page = self.pages.iter().skip(1).find(|(_, page)| page.title == word);
            match (class(token.kind), page) {
                (_, Some((file, _))) if matches!(token.kind, Tok::Ident | Tok::Upper) => {
                    let _ = write!(out, "<a href=\"{file}\">{}</a>", escaped(word));
                }
                (Some(class), _) => {
                    let _ = write!(out, "<span class=\"{class}\">{}</span>", escaped(word));
                }
                (None, _) => out.push_str(&escaped(word)),
            }
            at = end.max(at);
        }
        out.push_str(&escaped(text.get(at..).unwrap_or_default()));
        out
    }
}

fn class(token: Tok) -> Option<&'static str> {
    match token {
        Tok::Comment | Tok::Doc | Tok::ModuleDoc => Some("c"),
        Tok::Str | Tok::RawStr | Tok::StrOpen | Tok::StrText | Tok::StrClose => Some("s"),
        Tok::Int | Tok::Float | Tok::Quantity => Some("n"),
        Tok::Upper => Some("t"),
        word if word.is_keyword() => Some("k"),
        _other => None,
    }
}

/// Markdown as HTML. What is HTML in it is shown, not obeyed.
fn markdown(text: &str) -> String {
    let shown = Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        other => other,
    });
    let mut out = String::new();
    html::push_html(&mut out, shown);
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn slug(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_cannot_break_a_page() {
        assert!(markdown("a <script>alert(1)</script> `b`").contains("&lt;script&gt;"));
        assert!(markdown("a `b`").contains("<code>b</code>"));
        assert_eq!(escaped("<a \"b\">"), "&lt;a &quot;b&quot;&gt;");
    }

    #[test]
    fn pages_lead_to_each_other() {
        let world =
            imm_compiler::MemoryWorld::new([("main.imm", "/// Keeps *things*.\ndurable v = volume { size = 1GiB }\n")]);
        let own = imm_compiler::doc::program(&world, "").unwrap();
        let site = Site::new(vec![own], imm_compiler::doc::builtin("volume").into_iter().collect());
        let files = site.files();
        let (name, index) = &files[0];
        assert_eq!(name, "index.html");
        assert!(index.contains("<em>things</em>") && index.contains("<a href=\"volume.html\">volume</a>"), "{index}");
        assert!(files.iter().any(|(name, text)| name == "volume.html" && text.contains("single_writer")));
        // Every link within the site leads somewhere.
        for (_, text) in &files {
            for link in text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
                let (file, id) = link.split_once('#').unwrap_or((link, ""));
                assert!(file.is_empty() || files.iter().any(|(name, _)| name == file), "{link}");
                assert!(id.is_empty() || text.contains(&format!("id=\"{id}\"")), "{link}");
            }
        }
    }
}
