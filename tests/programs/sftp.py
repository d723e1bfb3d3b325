# SPDX-License-Identifier: MIT
"""A file by Paramiko's SFTP: sftp.py HOST KEY FILE"""
import sys

import paramiko

client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect(sys.argv[1], username="root", key_filename=sys.argv[2], allow_agent=False, look_for_keys=False)
with client.open_sftp().open(sys.argv[3]) as f:
    while True:
        data = f.read(32768)
        if not data:
            break
        sys.stdout.buffer.write(data)
