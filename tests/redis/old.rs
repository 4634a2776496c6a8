//! A Redis from before RESP3, played by a server that knows no more than one did.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

type Values = Arc<Mutex<HashMap<String, String>>>;

/// Redis 5.0.14, as far as the gateway asks it anything. Dropping it ends it.
pub(crate) struct Old {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Old {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let values = Values::default();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, values.clone()));
            }
        });
        Self { address, task }
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, values: Values) {
    let (from, mut to) = client.split();
    let mut from = BufReader::new(from);
    while let Some(words) = command(&mut from).await {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let answer = answer(&words, &values);
        if to.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// One command as clients send it: a list of texts, each with its length before it.
async fn command(from: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(from, '*').await? {
        let mut word = vec![0; number(from, '$').await? + 2];
        from.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
    }
    Some(words)
}

async fn number(from: &mut (impl AsyncBufReadExt + Unpin), mark: char) -> Option<usize> {
    let mut line = String::new();
    from.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}

/// The words of Redis 5 to what it does not know are Redis 5's own.
fn answer(words: &[&str], values: &Values) -> String {
    let mut values = values.lock().unwrap();
    match words {
        ["PING"] => "+PONG\r\n".to_owned(),
        ["INFO", ..] => bulk("# Server\r\nredis_version:5.0.14\r\nredis_mode:standalone\r\n"),
        ["TIME"] => {
            let now = super::now().to_string();
            format!("*2\r\n{}{}", bulk(&now), bulk("0"))
        }
        ["PSETEX", name, _, value] => {
            values.insert((*name).to_owned(), (*value).to_owned());
            "+OK\r\n".to_owned()
        }
        ["GET", name] => {
            values.get(*name).map_or_else(|| "$-1\r\n".to_owned(), |value| bulk(value))
        }
        [unknown, rest @ ..] => {
            let args: Vec<_> = rest.iter().map(|arg| format!("`{arg}`, ")).collect();
            let args = args.concat();
            format!("-ERR unknown command `{unknown}`, with args beginning with: {args}\r\n")
        }
        [] => "-ERR empty command\r\n".to_owned(),
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}
