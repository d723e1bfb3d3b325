# SPDX-License-Identifier: MIT
# Twenty fibers with an echo connection each: echo HOST PORT
require "socket"

done = Channel(Int32).new
20.times do |n|
  spawn do
    s = TCPSocket.new(ARGV[0], ARGV[1].to_i)
    s.read_timeout = 20.seconds
    150.times do |i|
      line = "#{n} #{i} #{"x" * 2000}"
      s.puts line
      s.flush
      raise "wrong" unless s.gets == line
      sleep 15.milliseconds
    end
    s.close
    done.send n
  end
end
puts (0...20).sum { done.receive }
