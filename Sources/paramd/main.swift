print("paramd")
