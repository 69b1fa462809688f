//! Secrets: made once, and in no file in clear, whatever way they took.

use std::path::Path;

use data_encoding::{BASE64, HEXLOWER};
use imm_host::api::{Alphabet, Code, DeleteObject, File, Level, Mount, ObjectSpec, Secret};

use crate::Test;
use crate::fixture::{World, get, refusal, with_agent};

pub const TESTS: &[Test] = &[
    ("a_secret_is_made_once_and_kept", || with_agent(a_secret_is_made_once_and_kept)),
    ("secrets_are_in_no_file_in_clear", || with_agent(secrets_are_in_no_file_in_clear)),
];

/// Every file below a folder that holds the text, as it is or encoded. Images are left out: they are large, and none is ever told a
/// secret.
fn holding(folder: &Path, secret: &str) -> Vec<String> {
    let forms = [secret.to_owned(), BASE64.encode(secret.as_bytes()), HEXLOWER.encode(secret.as_bytes())];
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && entry.file_name() != "store" {
            found.extend(holding(&entry.path(), secret));
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            let holds = |form: &String| bytes.windows(form.len()).any(|window| window == form.as_bytes());
            if forms.iter().any(holds) {
                found.push(entry.path().display().to_string());
            }
        }
    }
    found
}

async fn a_secret_is_made_once_and_kept(world: World) {
    let secret = ObjectSpec::Secret(Secret { length: 40, alphabet: Alphabet::Hex });
    let made = world.put("l", "s", secret.clone()).await.unwrap();
    let value = made.value.clone().unwrap().0;
    assert!(value.len() == 40 && value.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(!format!("{made:?}").contains(&value));
    assert_eq!(world.put("l", "s", secret).await.unwrap().value.unwrap().0, value);
    assert_eq!(world.agent.lineage("l").await.unwrap().objects[0].value, None);
    assert_eq!(holding(world.home.root(), &value), Vec::<String>::new());
    world.kill_agent().await;
    world.restart().await;
    assert_eq!(world.agent.object("l", "s").await.unwrap().value.unwrap().0, value);
    let delete = DeleteObject { fence: 1, consent: false };
    assert_eq!(refusal(world.agent.delete_object("l", "s", &delete).await).code, Code::ConsentRequired);
    world.agent.delete_object("l", "s", &DeleteObject { consent: true, ..delete }).await.unwrap();
    let empty = ObjectSpec::Secret(Secret { length: 0, alphabet: Alphabet::Hex });
    assert_eq!(refusal(world.put("l", "t", empty).await).code, Code::Invalid);
}

async fn secrets_are_in_no_file_in_clear(world: World) {
    // Not written here: this program itself is in the store.
    let secret = &std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap()[..20];
    let file = File { content: BASE64.encode(secret.as_bytes()), mode: 0o400, secret: true };
    let path = world.put("l", "f", ObjectSpec::File(file)).await.unwrap().path.unwrap();
    let mut container = world.container(&[("TOKEN", secret), ("GREETING", "hi")]);
    container.mounts.insert("/run/token".to_owned(), Mount::File { object: "f".to_owned() });
    let port = world.run("l", "a", container).await.port.unwrap();
    world.level("l", "a", Level::Healthy).await;
    // It reaches the program, by both ways.
    assert_eq!(get(port, "/token").await.unwrap(), format!("{secret} {secret}"));
    assert_eq!(holding(world.home.root(), secret), Vec::<String>::new());
    // The file is for its owner alone, and nowhere but in memory.
    let real = std::fs::canonicalize(&path).unwrap();
    let meta = std::fs::metadata(&real).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777, 0o400);
    assert_eq!(nix::sys::statfs::statfs(&real).unwrap().filesystem_type(), nix::sys::statfs::TMPFS_MAGIC);
    // A restart of the machine empties the memory; the next agent fills it again.
    world.kill_agent().await;
    std::fs::remove_file(&real).unwrap();
    world.restart().await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), secret);
    for id in ["a", "f"] {
        world.agent.delete_object("l", id, &DeleteObject { fence: 1, consent: false }).await.unwrap();
    }
    assert!(!real.exists());
}
