// SPDX-License-Identifier: MIT
// Ten echo connections on one selector: java Nio.java HOST PORT
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.*;

public class Nio {
	static class Peer {
		int id, line;
		ByteBuffer out, in;
		long nextAt;

		void next() {
			byte[] b = (id + " " + line + " " + "x".repeat(3000) + "\n").getBytes();
			out = ByteBuffer.wrap(b);
			in = ByteBuffer.allocate(b.length);
		}
	}

	public static void main(String[] a) throws Exception {
		Selector sel = Selector.open();
		int open = 10;

		for (int i = 0; i < 10; i++) {
			SocketChannel c = SocketChannel.open();
			c.configureBlocking(false);
			Peer p = new Peer();
			p.id = i;
			p.next();
			c.connect(new InetSocketAddress(a[0], Integer.parseInt(a[1])));
			c.register(sel, SelectionKey.OP_CONNECT, p);
		}
		while (open > 0) {
			sel.select(20);
			for (SelectionKey k : new ArrayList<>(sel.keys())) {
				if (!k.isValid()) continue;
				SocketChannel c = (SocketChannel) k.channel();
				Peer p = (Peer) k.attachment();
				if (k.isConnectable() && c.finishConnect()) k.interestOps(SelectionKey.OP_WRITE);
				if (k.isWritable() && c.write(p.out) >= 0 && !p.out.hasRemaining()) k.interestOps(SelectionKey.OP_READ);
				if (k.isReadable()) {
					if (c.read(p.in) < 0) throw new Exception("early end");
					if (!p.in.hasRemaining()) {
						if (!Arrays.equals(p.in.array(), p.out.array())) throw new Exception("wrong line " + p.line);
						k.interestOps(0);
						p.nextAt = System.nanoTime() + 15_000_000;
						if (++p.line == 150) { c.close(); open--; continue; }
						p.next();
					}
				}
				if (k.isValid() && k.interestOps() == 0 && System.nanoTime() > p.nextAt) k.interestOps(SelectionKey.OP_WRITE);
			}
		}
		System.out.println("all came back");
	}
}
