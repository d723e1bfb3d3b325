(* SPDX-License-Identifier: MIT *)
(* Lines to an echo server and back by OCaml's channels: echo.ml HOST PORT *)
let () =
  let addr = Unix.ADDR_INET (Unix.inet_addr_of_string Sys.argv.(1), int_of_string Sys.argv.(2)) in
  let ic, oc = Unix.open_connection addr in
  for i = 1 to 300 do
    let line = string_of_int i ^ String.make 1000 'x' in
    output_string oc (line ^ "\n");
    flush oc;
    if input_line ic <> line then exit 1;
    Unix.sleepf 0.01
  done;
  print_endline "300 lines"
