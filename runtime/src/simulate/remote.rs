//! The world at the other end of a socket: so that an engine can be killed as a process while the world lives on.
//!
//! Frames are a length in four bytes, little-endian, and postcard. One question at a time has one answer; several may be
//! under way, told apart by their number. [`Remote`] asks, [`serve`] answers. Knows nothing of calls but their bytes.

use super::call::{Ask, Call, Reply, error};
use super::world::World;
use crate::provider::{Ctx, Error, ErrorKind, Happened, Result};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

/// Longest frame that is believed, bytes.
const LONGEST: u32 = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Question {
    number: u64,
    ctx: Ctx,
    call: Call,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    number: u64,
    reply: std::result::Result<Reply, Error>,
}

type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Result<Reply>>>>>;

/// Asks a world in another process.
#[derive(Clone, Debug)]
pub struct Remote {
    questions: mpsc::UnboundedSender<(Ctx, Call, oneshot::Sender<Result<Reply>>)>,
}

impl Remote {
    /// Uses a connected socket. Ends with it.
    pub fn new(stream: UnixStream) -> Self {
        let (questions, mut asked) = mpsc::unbounded_channel::<(Ctx, Call, oneshot::Sender<Result<Reply>>)>();
        let (mut reader, mut writer) = stream.into_split();
        let waiting = Waiting::default();
        let answered = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Ok(Answer { number, reply }) = read::<Answer>(&mut reader).await {
                let waiter = answered.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                // Whoever asked may have given up.
                waiter.map(|w| w.send(reply));
            }
            // Nobody answers any more: dropping the senders tells those who wait.
            answered.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        tokio::spawn(async move {
            let mut number = 0;
            while let Some((ctx, call, waiter)) = asked.recv().await {
                number += 1;
                waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, waiter);
                if write(&mut writer, &Question { number, ctx, call }).await.is_err() {
                    waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                }
            }
        });
        Self { questions }
    }
}

#[async_trait]
impl Ask for Remote {
    async fn ask(&self, ctx: &Ctx, call: Call) -> Result<Reply> {
        let (waiter, answer) = oneshot::channel();
        let gone = || error(ErrorKind::Transient, Happened::Maybe, "the simulated world hung up".to_owned());
        self.questions.send((ctx.clone(), call, waiter)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Answers until the other side hangs up. `asked` hears the number of each call before it is performed. Answers how many
/// there were.
///
/// # Errors
/// The socket fails, or somebody else is at its other end.
pub async fn serve(world: &World, stream: UnixStream, mut asked: impl FnMut(u64)) -> io::Result<u64> {
    let (mut reader, mut writer) = stream.into_split();
    let (answers, mut answered) = mpsc::unbounded_channel::<Answer>();
    let sender = tokio::spawn(async move {
        while let Some(answer) = answered.recv().await {
            // The asker may be dead; its calls have their effects nevertheless.
            if write(&mut writer, &answer).await.is_err() {
                break;
            }
        }
    });
    let mut calls = 0;
    let mut under_way = tokio::task::JoinSet::new();
    loop {
        let Question { number, ctx, call } = match read(&mut reader).await {
            Ok(question) => question,
            Err(e) if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => break,
            Err(e) => return Err(e),
        };
        calls += 1;
        asked(calls);
        let (world, answers) = (world.clone(), answers.clone());
        under_way.spawn(async move {
            let reply = world.perform(&ctx, call).await;
            // Nobody to tell: the asker hung up.
            drop(answers.send(Answer { number, reply }));
        });
    }
    // What it asked for before it died still happens.
    under_way.join_all().await;
    drop(answers);
    sender.await?;
    Ok(calls)
}

async fn read<T: DeserializeOwned>(reader: &mut OwnedReadHalf) -> io::Result<T> {
    let length = reader.read_u32_le().await?;
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let mut bytes = vec![0; length as usize];
    reader.read_exact(&mut bytes).await?;
    postcard::from_bytes(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

async fn write<T: Serialize>(writer: &mut OwnedWriteHalf, frame: &T) -> io::Result<()> {
    let bytes = postcard::to_stdvec(frame).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    let length = u32::try_from(bytes.len()).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    let mut whole = length.to_le_bytes().to_vec();
    whole.extend(bytes);
    writer.write_all(&whole).await
}
