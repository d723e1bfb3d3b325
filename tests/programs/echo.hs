-- SPDX-License-Identifier: MIT
-- Twenty threads of the runtime with an echo connection each: echo HOST PORT
import Control.Concurrent
import Control.Monad
import qualified Data.ByteString.Char8 as B
import Network.Socket
import Network.Socket.ByteString (recv, sendAll)
import System.Environment

readLine :: Socket -> B.ByteString -> IO (B.ByteString, B.ByteString)
readLine s have = case B.elemIndex '\n' have of
  Just i -> return (B.take i have, B.drop (i + 1) have)
  Nothing -> do
    more <- recv s 4096
    if B.null more then fail "early end" else readLine s (have <> more)

one :: AddrInfo -> MVar Int -> Int -> IO ()
one to done n = do
  s <- socket (addrFamily to) Stream defaultProtocol
  connect s (addrAddress to)
  let go i have = when (i < 150) $ do
        let line = B.pack (show n ++ " " ++ show (i :: Int) ++ " ") <> B.replicate 2000 'x'
        sendAll s (line <> B.pack "\n")
        (got, rest) <- readLine s have
        when (got /= line) $ fail ("wrong " ++ show i)
        threadDelay 15000
        go (i + 1) rest
  go 0 B.empty
  close s
  putMVar done n

main :: IO ()
main = do
  [host, port] <- getArgs
  (to : _) <- getAddrInfo (Just defaultHints {addrSocketType = Stream}) (Just host) (Just port)
  done <- newEmptyMVar
  forM_ [1 .. 20] $ forkIO . one to done
  total <- sum <$> replicateM 20 (takeMVar done)
  print total
