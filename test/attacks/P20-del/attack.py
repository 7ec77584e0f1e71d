class Evil:
    def __del__(self):
        while True: pass
evil = Evil()
