// SPDX-License-Identifier: MIT
// Eight threads, each with a plain socket and a time limit for reading: java Plain.java HOST PORT
import java.io.*;
import java.net.*;
import java.util.*;

public class Plain {
	public static void main(String[] a) throws Exception {
		List<Thread> all = new ArrayList<>();
		int[] good = {0};

		for (int i = 0; i < 8; i++) {
			int id = i;
			Thread t = new Thread(() -> {
				try (Socket s = new Socket(a[0], Integer.parseInt(a[1]))) {
					s.setSoTimeout(20000);
					BufferedReader in = new BufferedReader(new InputStreamReader(s.getInputStream()));
					OutputStream out = s.getOutputStream();
					for (int n = 0; n < 150; n++) {
						String line = id + " " + n + " " + "x".repeat(3000);
						out.write((line + "\n").getBytes());
						if (!line.equals(in.readLine())) throw new IOException("wrong line " + n);
						Thread.sleep(15);
					}
					s.shutdownOutput();
					if (in.read() != -1) throw new IOException("no end");
					synchronized (good) { good[0]++; }
				} catch (Exception e) {
					e.printStackTrace();
				}
			});
			t.start();
			all.add(t);
		}
		for (Thread t : all) t.join();
		System.out.println(good[0]);
		System.exit(good[0] == 8 ? 0 : 1);
	}
}
