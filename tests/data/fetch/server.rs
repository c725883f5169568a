//! Servers on this machine: whole, cut, silent and dead ones.

use super::raw_files;
use crate::gzip;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a test server answers for one path.
#[derive(Clone)]
pub enum Answer {
    Whole(Vec<u8>),
    /// The length of all, then only so many bytes, then the connection closes.
    Cut(Vec<u8>, usize),
    /// Headers, then nothing.
    Silent,
}

/// An HTTP server on 127.0.0.1 that lives as long as the test program.
pub struct Server {
    pub address: String,
    requests: Arc<AtomicUsize>,
    pub answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Server {
    /// Serves the four files compressed.
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            address: format!("http://{}/", listener.local_addr().unwrap()),
            requests: Arc::default(),
            answers: Arc::default(),
        };
        for (name, raw) in raw_files() {
            server.answer(name, Answer::Whole(gzip(&raw)));
        }
        let (requests, answers) = (server.requests.clone(), server.answers.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                requests.fetch_add(1, Ordering::SeqCst);
                let answers = answers.clone();
                // A client that closes early is no failure of the server.
                std::thread::spawn(move || serve(stream.unwrap(), &answers).ok());
            }
        });
        server
    }

    pub fn answer(&self, name: &str, answer: Answer) {
        let path = format!("/{name}.gz");
        self.answers.lock().unwrap().insert(path, answer);
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, answers: &Mutex<HashMap<String, Answer>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or("/").to_string();
    let answer = answers.lock().unwrap().get(&path).cloned();
    let head = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
    };
    match answer {
        None => stream.write_all(head("404 Not Found", 0).as_bytes()),
        Some(Answer::Whole(body)) => {
            stream.write_all(head("200 OK", body.len()).as_bytes())?;
            stream.write_all(&body)
        }
        Some(Answer::Cut(body, at)) => {
            stream.write_all(head("200 OK", body.len()).as_bytes())?;
            stream.write_all(&body[..at])
        }
        Some(Answer::Silent) => {
            stream.write_all(head("200 OK", 1000).as_bytes())?;
            std::thread::sleep(Duration::from_secs(5));
            Ok(())
        }
    }
}

/// An address that refuses connections: a port that was free a moment ago.
pub fn dead_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}
