//! `imm cron`: a command whenever a schedule says so, one at a time; what `std.parts.cron_job` runs in its worker.

use crate::cli::Cron;
use crate::failure::{Exit, Failure, Outcome};
use crate::platform::block_on;
use crate::project::plain;
use crate::schedule::Schedule;
use crate::signals::Signals;
use crate::ui;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::future::Future;
use std::process::ExitStatus;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::process::Command;

/// So often at least the clock is looked at: it may be set, and a machine may sleep.
const GLANCE: Duration = Duration::from_secs(20);

/// Runs until TERM or INT; a run that is under way then is told, too, and waited for.
pub fn run(args: &Cron) -> Outcome {
    let Some((program, arguments)) = args.command.split_first() else { return Ok(Exit::Usage) };
    block_on(async {
        let mut signals = Signals::listen().map_err(|e| Failure::new(plain(&e)))?;
        let mut stopped = std::pin::pin!(signals.next());
        let mut after = OffsetDateTime::now_utc();
        loop {
            let Some(due) = args.schedule.after(after) else { return Ok(Exit::Done) };
            if !until(due, OffsetDateTime::now_utc, stopped.as_mut()).await {
                return Ok(Exit::Done);
            }
            if !one_run(program, arguments, stopped.as_mut()).await? {
                return Ok(Exit::Done);
            }
            after = OffsetDateTime::now_utc().max(due);
            left_out(&args.schedule, due, after);
        }
    })?
}

/// Waits for a moment; `false` when it was stopped before.
async fn until(
    due: OffsetDateTime,
    now: impl Fn() -> OffsetDateTime,
    mut stopped: std::pin::Pin<&mut impl Future<Output = ()>>,
) -> bool {
    loop {
        // What is due already has no time left.
        let left = Duration::try_from(due - now()).unwrap_or_default();
        if left.is_zero() {
            return true;
        }
        tokio::select! {
            () = tokio::time::sleep(left.min(GLANCE)) => {}
            () = stopped.as_mut() => return false,
        }
    }
}

/// Runs the command once; `false` when it was stopped meanwhile. That it ends badly is said, and the next run is another try.
async fn one_run(
    program: &OsString,
    arguments: &[OsString],
    stopped: std::pin::Pin<&mut impl Future<Output = ()>>,
) -> Result<bool, Failure> {
    let shown = program.to_string_lossy();
    let mut child = Command::new(program).args(arguments).spawn().map_err(|e| {
        Failure::new(format!("cannot run {shown}: {}", plain(&e)))
            .help("the command is that of the image, or a path in it")
    })?;
    ui::out(&format!("{shown} runs\n"));
    let goes_on = tokio::select! {
        ended = child.wait() => {
            said(&shown, ended);
            return Ok(true);
        }
        () = stopped => false,
    };
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // It may have ended by itself.
        let _ended = kill(Pid::from_raw(id), Signal::SIGTERM);
    }
    said(&shown, child.wait().await);
    Ok(goes_on)
}

fn said(shown: &str, ended: std::io::Result<ExitStatus>) {
    match ended {
        Ok(status) if status.success() => ui::out(&format!("{shown} is done\n")),
        Ok(status) => ui::err(&format!("{shown} failed: {status}\n")),
        Err(e) => ui::err(&format!("{shown} cannot be waited for: {}\n", plain(&e))),
    }
}

/// Says what was due while a run went on: two never overlap.
fn left_out(schedule: &Schedule, due: OffsetDateTime, now: OffsetDateTime) {
    let mut missed = std::iter::successors(schedule.after(due), |at| schedule.after(*at)).take_while(|at| *at <= now);
    if let Some(first) = missed.next() {
        let more = missed.take(1000).count();
        let more = if more > 0 { format!(", and {more} after it,") } else { String::new() };
        let (hour, minute) = (first.hour(), first.minute());
        ui::err(&format!("the run of {hour:02}:{minute:02}{more} is left out: the one before took too long\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::pin::pin;

    /// The clock of the test's own time.
    fn clock() -> impl Fn() -> OffsetDateTime {
        let start = tokio::time::Instant::now();
        move || OffsetDateTime::UNIX_EPOCH + start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_moment_is_waited_for() {
        let now = clock();
        let due = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(3600);
        assert!(until(due, &now, pin!(pending())).await);
        assert!(now() >= due && now() < due + Duration::from_secs(1));
        // A clock that was set forward has passed it.
        assert!(until(OffsetDateTime::UNIX_EPOCH, &now, pin!(pending())).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_ends_the_wait() {
        let soon = tokio::time::sleep(Duration::from_secs(90));
        let now = clock();
        assert!(!until(now() + Duration::from_secs(86_400), &now, pin!(soon)).await);
        assert!(now() < OffsetDateTime::UNIX_EPOCH + Duration::from_secs(91));
    }

    #[tokio::test]
    async fn a_run_that_is_stopped_is_told_and_waited_for() {
        let sleep = OsString::from("sleep");
        assert!(!one_run(&sleep, &["1000".into()], pin!(async {})).await.unwrap());
        assert!(one_run(&OsString::from("true"), &[], pin!(pending())).await.unwrap());
        assert!(one_run(&OsString::from("false"), &[], pin!(pending())).await.unwrap());
        let failure = one_run(&OsString::from("/nowhere/at/all"), &[], pin!(pending())).await.unwrap_err();
        assert!(failure.message.contains("/nowhere/at/all"), "{failure:?}");
    }
}
