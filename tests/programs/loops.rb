# SPDX-License-Identifier: MIT
# Echo connections by EventMachine or by Async's fibers: loops.rb eventmachine|async HOST PORT
which, host, port = ARGV[0], ARGV[1], ARGV[2].to_i
line = ->(n, i) { "#{n} #{i} #{'x' * 2000}\n" }
if which == 'eventmachine'
  require 'eventmachine'
  $left = 20
  client = Class.new(EM::Connection) do
    define_method(:initialize) { |n| super(); @n, @i, @got = n, 0, +'' }
    define_method(:post_init) { send_data line.(@n, 0) }
    define_method(:receive_data) do |data|
      @got << data
      next unless @got.end_with?("\n")
      abort 'wrong' unless @got == line.(@n, @i)
      @got = +''
      if (@i += 1) == 150
        close_connection
        EM.stop if ($left -= 1).zero?
      else
        EM.add_timer(0.015) { send_data line.(@n, @i) }
      end
    end
    define_method(:unbind) { abort 'early end' if @i < 150 }
  end
  EM.epoll
  EM.run { 20.times { |n| EM.connect(host, port, client, n) } }
else
  require 'async'
  require 'async/io'
  require 'async/io/stream'
  Async do |task|
    20.times.map do |n|
      task.async do
        Async::IO::Endpoint.tcp(host, port).connect do |s|
          stream = Async::IO::Stream.new(s)
          150.times do |i|
            stream.write(line.(n, i))
            stream.flush
            abort 'wrong' unless stream.read_until("\n") + "\n" == line.(n, i)
            task.sleep(0.015)
          end
        end
      end
    end.each(&:wait)
  end
end
puts '20 connections'
