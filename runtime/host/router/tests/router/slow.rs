//! Clients that take their time. The clock is stopped, and goes on when everybody waits.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::support::*;

async fn until_closed(stream: &mut tokio::net::TcpStream) -> String {
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_given_up() {
    let (router, port) = serving(vec![target("a", named_target("a").await)]).await;
    for start in ["", "G", "P", "PRI", "GET / HTTP/1.1\r\nhost: a\r\n"] {
        let mut stream = connect(port).await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let began = Instant::now();
        let answer = until_closed(&mut stream).await;
        assert!(answer.is_empty() || start.starts_with("PRI") || status(&answer) == 408, "{start:?}: {answer:?}");
        assert!(began.elapsed() <= Duration::from_secs(62), "{start:?}: {:?}", began.elapsed());
    }
    assert_eq!(router.samples()[0].requests, 0);
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_does_not_buy_time_for_a_head() {
    let (_router, port) = serving(vec![target("a", named_target("a").await)]).await;
    let mut stream = connect(port).await;
    let began = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if stream.write_all(b"x: y\r\n").await.is_err() || began.elapsed() > Duration::from_secs(60) {
            break;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_used_is_closed() {
    let (_router, port) = serving(vec![target("a", named_target("a").await)]).await;
    let mut stream = connect(port).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let began = Instant::now();
    let answer = until_closed(&mut stream).await;
    assert!(answer.ends_with("\r\n\r\na"), "{answer}");
    assert!((29..=31).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn http2_without_requests_is_closed() {
    let (_router, port) = serving(vec![target("a", named_target("a").await)]).await;
    let io = hyper_util::rt::TokioIo::new(connect(port).await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    let ended = tokio::spawn(connection);
    let request = hyper::Request::get("http://a/").body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
    let began = Instant::now();
    ended.await.unwrap().unwrap();
    assert!((60..=130).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_given_up_and_a_slow_one_is_not() {
    let (router, port) = serving(vec![target(
        "a",
        http_target(|request| async move {
            use http_body_util::BodyExt;
            text(format!("{}", request.into_body().collect().await.map_or(0, |body| body.to_bytes().len())))
        })
        .await,
    )])
    .await;
    let mut slow = connect(port).await;
    slow.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nconnection: close\r\n\r\n").await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        slow.write_all(b"x").await.unwrap();
    }
    assert_eq!(body(&until_closed(&mut slow).await), "5");
    let mut stalled = connect(port).await;
    stalled.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nx").await.unwrap();
    let answer = until_closed(&mut stalled).await;
    assert_eq!((status(&answer), field(&answer, "x-imm-error")), (408, Some("client-stalled")), "{answer}");
    assert_eq!(router.samples()[0].errors, 0, "not the target's fault");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_is_given_up() {
    let endless = raw_target(|mut stream: tokio::net::TcpStream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65536]).await.is_ok() {}
    })
    .await;
    let (router, port) = serving(vec![target("a", endless)]).await;
    let mut stream = connect(port).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let began = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let sample = router.samples().remove(0);
        if sample.requests == 1 && sample.in_flight == 0 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(200), "still in flight");
    }
}
