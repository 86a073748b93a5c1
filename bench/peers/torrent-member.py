# One member of a libtorrent swarm. `make TREE FILE` writes a torrent; `seed|superseed|leech FILE DIRECTORY ADDRESS PEERS...` says "ready", begins
# when a line comes in, says "done" when it has everything, and goes on serving until it is killed.
import os
import sys
import time

import libtorrent as lt

PORT = 6881

if sys.argv[1] == "make":
    storage = lt.file_storage()
    lt.add_files(storage, sys.argv[2])
    torrent = lt.create_torrent(storage)
    lt.set_piece_hashes(torrent, os.path.dirname(sys.argv[2]))
    with open(sys.argv[3], "wb") as out:
        out.write(lt.bencode(torrent.generate()))
    sys.exit(0)

role, torrent_file, directory, address, *peers = sys.argv[1:]
session = lt.session({
    "listen_interfaces": f"{address}:{PORT}",
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    # Over TCP it is faster in a network without other traffic, and is not bound to few connections.
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True, "connections_limit": 500, "connection_speed": 500,
    "out_enc_policy": 2, "in_enc_policy": 2,
    "peer_connect_timeout": 3, "min_reconnect_time": 1,
    "alert_mask": 0,
})
flags = lt.torrent_flags.paused | lt.torrent_flags.update_subscribe
if role != "leech":
    # What it serves was made a moment ago.
    flags |= lt.torrent_flags.seed_mode
if role == "superseed":
    flags |= lt.torrent_flags.super_seeding
handle = session.add_torrent({"ti": lt.torrent_info(torrent_file), "save_path": directory, "flags": flags})
print("ready", flush=True)
sys.stdin.readline()
handle.resume()
for peer in peers:
    if peer != address:
        handle.connect_peer((peer, PORT))
while not handle.status().is_seeding:
    time.sleep(0.02)
print("done", flush=True)
while True:
    time.sleep(1)
