//! `imm repl`: through a pipe, and by keys in a pseudo-terminal.

use crate::harness::terminal::Terminal;
use crate::harness::{Bench, Said, eventually};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// What a session says to lines from a pipe.
fn piped(bench: &Bench, lines: &str) -> Said {
    let mut command = bench.command(&["repl"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn expressions_items_and_params() {
    let bench = Bench::example("hello");
    let said = piped(
        &bench,
        "replicas * 2\nfront.url\nlet double = (\n  replicas * 2\n)\n:set replicas = 5\ndouble\n:type front\n:set\n",
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        said.out.lines().collect::<Vec<_>>(),
        [
            "4 : Int",
            "front.url : ~String   known only after create",
            "declared double",
            "10 : Int",
            "route",
            "replicas = 5",
        ],
        "{said:?}"
    );
    // A name may be declared again, and what was declared is seen by what follows.
    let said = piped(&bench, "let a = 1\nlet a = \"x\"\na + \"y\"\nfn f(n: Int) -> Int = n + 1\nf(2)\n");
    assert!(said.out.contains("\"xy\" : String") && said.out.contains("3 : Int"), "{said:?}");
}

#[test]
fn mistakes_are_the_compilers_and_fail_the_pipe() {
    let bench = Bench::example("hello");
    let said = piped(&bench, "replica + 1\n1 + 1\n");
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("unknown-name") && said.err.contains("<line>:1:1") && said.err.contains("`replicas`"),
        "{said:?}"
    );
    assert!(said.out.contains("2 : Int"), "the lines after it still run: {said:?}");
    for (line, part) in [
        (":plam\n", "did you mean `:plan`?"),
        (":set replicas = \"x\"\n", "replicas"),
        (":set nothing = 1\n", "nothing"),
        (":at 3\n", "nothing was applied yet"),
        (":why\n", ":why ADDR"),
        (":plan nothing\n", "nothing is declared at nothing"),
        (":env nowhere\n", "there are: local"),
        ("[1,\n", "unclosed-bracket"),
        ("\u{fffd}\n", "syntax"),
    ] {
        let said = piped(&bench, line);
        assert_eq!(said.code, 1, "{line} {said:?}");
        assert!(said.err.contains(part), "{line} {said:?}");
    }
}

#[test]
fn plans_and_time_travel() {
    let bench = Bench::example("hello");
    let said = piped(&bench, ":plan\n:set replicas = 3\n:plan web\n:outputs\n:kind volume\n:explain overflow\n");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("first generation") && said.out.contains("web.instance[\"2\"]"), "{said:?}");
    assert!(said.out.contains("url = front.url : ~String"), "{said:?}");
    assert!(said.out.contains("size: Bytes"), "{said:?}");
    assert!(!bench.module.join(".imm").exists(), "looking makes no ledger");
    bench.ok(&["apply", "--yes", "--param", "replicas=1"]);
    bench.edit("param greeting: String = \"Hello\"", "param greeting: String = \"Changed\"");
    let said =
        piped(&bench, "greeting\n:at 1\ngreeting\nreplicas\n:plan\n:at now\ngreeting\n:generations\nfront.url\n");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(
        lines.iter().take(4).collect::<Vec<_>>(),
        [&"\"Changed\" : String", &"\"Hello\" : String", &"1 : Int", &"\"Changed\" : String"],
        "{said:?}"
    );
    assert!(said.err.contains("`:at now` goes back"), "{said:?}");
    assert!(said.out.contains("committed") && said.out.contains("in generation 1"), "{said:?}");
    bench.ok(&["destroy", "--yes"]);
}

#[test]
fn keys_in_a_terminal() {
    let bench = Bench::example("hello");
    let Some(terminal) = Terminal::start(&bench, "first", &["repl"]) else { return };
    terminal.last_line("hello>");
    // Completion of a name, and of a field after a dot.
    terminal.keys(&["repl", "Tab"]);
    terminal.screen("hello> replicas");
    terminal.keys(&[" + 1", "Enter"]);
    terminal.screen("3 : Int");
    terminal.keys(&["front.ur", "Tab"]);
    terminal.screen("hello> front.url");
    // Ctrl-C takes the line back, an open one too, and nothing of what follows in the same read.
    terminal.keys(&["C-c"]);
    terminal.last_line("hello>");
    terminal.keys(&["-l", "lost\u{3}10 + 3\nlost\u{3}10 + 4\n"]);
    terminal.screen("13 : Int");
    terminal.screen("14 : Int");
    terminal.keys(&["-l", "[lost,\n\u{3}10 + 5\n"]);
    terminal.screen("15 : Int");
    // Fields of a block that is still open.
    terminal.keys(&["durable v = volume { si", "Tab"]);
    terminal.screen("hello> durable v = volume { size =");
    terminal.keys(&["C-c"]);
    terminal.last_line("hello>");
    // Open brackets go on in the next line.
    terminal.keys(&["[1,", "Enter"]);
    terminal.keys(&["2]", "Enter"]);
    terminal.screen("[1, 2] : [Int]");
    // What is typed ahead of the prompt is not lost, and what is pasted may be several lines.
    terminal.keys(&["-l", "20 + 1\n20 + 2\nlet q = [\n  20,\n]\nq.len() + 30\n"]);
    terminal.screen("21 : Int");
    terminal.screen("22 : Int");
    terminal.screen("31 : Int");
    terminal.last_line("hello>");
    terminal.paste("40 + 1\nlet r = {\n  a = 42\n}\nr.a\n");
    terminal.keys(&["Enter"]);
    terminal.screen("41 : Int");
    terminal.screen("42 : Int");
    terminal.last_line("hello>");
    // Commands complete, and say what they take.
    terminal.keys(&[":gener", "Tab"]);
    terminal.screen("hello> :generations");
    terminal.keys(&["C-c"]);
    terminal.last_line("hello>");
    terminal.keys(&[":why"]);
    terminal.screen("hello> :why ADDR");
    terminal.keys(&["C-c"]);
    // History, in this session and in the next; it is written before a line runs.
    terminal.last_line("hello>");
    terminal.keys(&["C-r"]);
    terminal.keys(&["repl"]);
    terminal.screen("replicas + 1\n");
    terminal.keys(&["C-c"]);
    terminal.last_line("hello>");
    terminal.keys(&["C-d"]);
    terminal.ended();
    assert!(bench.home().join("repl-history").exists());
    drop(terminal);
    let Some(again) = Terminal::start(&bench, "second", &["repl"]) else { return };
    again.last_line("hello>");
    again.keys(&["repl"]);
    again.screen("hello> replicas + 1");
    assert!(!Path::new(&bench.module).join(".imm").exists());
}

/// Ctrl-C while a command runs ends it, as in a shell, and the session goes on.
#[test]
fn an_interrupted_command_is_no_end_of_the_session() {
    let web = "resource web for n in 0..3000 = container { image = img, cmd = [\"${n}\"] }";
    let bench = Bench::program(&format!("resource img = image {{}}\n{web}\n"));
    let Some(terminal) = Terminal::start(&bench, "interrupted", &["repl"]) else { return };
    terminal.last_line("module>");
    let simulates = || {
        let found = bench.processes().into_iter().find(|(_, line)| line.contains(" simulate "));
        found.map(|(pid, _)| pid)
    };
    // What is typed behind it is for the prompt.
    terminal.keys(&["-l", "let kept = 40\n:simulate --crash-everywhere\n"]);
    eventually("it simulates", || simulates().is_some());
    terminal.keys(&["C-c"]);
    eventually("it is ended", || simulates().is_none());
    terminal.last_line("module>");
    terminal.keys(&["kept + 1", "Enter"]);
    terminal.screen("41 : Int");
    // Somebody else's word does not end it either.
    let session = bench.processes().into_iter().find(|(_, line)| line.trim_end().ends_with("imm repl")).unwrap().0;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(session), nix::sys::signal::Signal::SIGINT).unwrap();
    terminal.keys(&["kept + 2", "Enter"]);
    terminal.screen("42 : Int");
    terminal.keys(&["C-d"]);
    assert_eq!(terminal.ended().1, 0);
}
