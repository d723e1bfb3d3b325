// SPDX-License-Identifier: MIT
// Threads with an echo connection each, by Phobos: echo HOST PORT
import core.thread, std.array, std.conv, std.socket, std.stdio;

void one(string host, ushort port, int n)
{
	auto s = new TcpSocket(new InternetAddress(host, port));
	foreach (i; 0 .. 150)
	{
		string line = text(n, " ", i, " ", "x".replicate(2000), "\n");
		for (size_t at = 0; at < line.length;)
		{
			auto k = s.send(line[at .. $]);
			if (k <= 0) throw new Exception("send");
			at += k;
		}
		char[4096] buf;
		for (size_t at = 0; at < line.length;)
		{
			auto k = s.receive(buf[at .. line.length]);
			if (k <= 0) throw new Exception("receive");
			at += k;
			if (at == line.length && buf[0 .. at] != line) throw new Exception("wrong");
		}
		Thread.sleep(15.msecs);
	}
	s.close();
}

void main(string[] a)
{
	Thread[] all;
	foreach (n; 0 .. 10) { int k = n; all ~= new Thread(((int k) => () => one(a[1], a[2].to!ushort, k))(k)).start(); }
	foreach (t; all) t.join();
	writeln("10 threads");
}
