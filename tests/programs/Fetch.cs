// SPDX-License-Identifier: MIT
// A download and an asynchronous echo client with Mono: Fetch.exe URL HOST PORT
using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Threading.Tasks;

class Fetch {
	static async Task<int> Echo(string host, int port) {
		using (var c = new TcpClient()) {
			await c.ConnectAsync(host, port);
			var r = new StreamReader(c.GetStream());
			var w = new StreamWriter(c.GetStream()) { AutoFlush = true };
			for (int i = 0; i < 200; i++) {
				string line = i + new string('x', 1000);
				await w.WriteLineAsync(line);
				if (await r.ReadLineAsync() != line) throw new Exception("line " + i + " is wrong");
				await Task.Delay(10);
			}
		}
		return 200;
	}

	static void Main(string[] a) {
		var echo = Echo(a[1], int.Parse(a[2]));
		using (var s = WebRequest.Create(a[0]).GetResponse().GetResponseStream())
			Console.WriteLine(BitConverter.ToString(SHA256.Create().ComputeHash(s)));
		Console.WriteLine(echo.Result);
	}
}
