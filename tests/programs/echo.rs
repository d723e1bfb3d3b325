// SPDX-License-Identifier: MIT
//! Threads with a connection to an echo server each: echo HOST:PORT
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::{env, thread, time::Duration};

fn one(to: &str, n: usize) -> usize {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    for i in 0..200 {
        let line = format!("{} {} {}\n", n, i, "x".repeat(1000));
        writer.write_all(line.as_bytes()).unwrap();
        let mut got = String::new();
        reader.read_line(&mut got).unwrap();
        assert!(got == line, "{} {}", n, i);
        thread::sleep(Duration::from_millis(10));
    }
    200
}

fn main() {
    let to = env::args().nth(1).unwrap();
    let all: Vec<_> = (0..10).map(|n| { let to = to.clone(); thread::spawn(move || one(&to, n)) }).collect();
    println!("{}", all.into_iter().map(|t| t.join().unwrap()).sum::<usize>());
}
